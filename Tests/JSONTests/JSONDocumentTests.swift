import Bytes
import HangGuard
import JSON
import Testing

@Suite("JSON documents", .guarded)
struct JSONDocumentTests {
    private func document(_ text: String, _ limits: JSONLimits = .default) throws -> JSONDocument {
        try JSONDocument(parsing: Array(text.utf8), limits: limits)
    }

    private func member(_ name: String, of object: JSONDocument.Value, in document: JSONDocument) -> JSONDocument.Value? {
        document.members(of: object)?.first { $0.name.isSameText(as: name) }?.value
    }

    @Test("Members are found by name at every depth, also with escapes in the name")
    func members() throws {
        let document = try document(#" { "a" : { "b" : [ 1 , { "c" : "deep" } ] , "d" : null } , "\u0065" : true, "" : 7 } "#)
        let a = try #require(member("a", of: document.root, in: document))
        let b = try #require(member("b", of: a, in: document).flatMap { document.elements(of: $0) })
        #expect(b.map(\.kind) == [.number, .object])
        #expect(member("c", of: b[1], in: document).flatMap { document.string($0) } == "deep")
        #expect(member("d", of: a, in: document)?.kind == .null)
        #expect(member("e", of: document.root, in: document).flatMap { document.bool($0) } == true)
        #expect(member("", of: document.root, in: document).flatMap { document.int64($0) } == 7)
        #expect(document.members(of: document.root)?.map(\.name) == ["a", "e", ""])
        for missing in ["b", "c", "aa", "E"] { #expect(member(missing, of: document.root, in: document) == nil) }
    }

    @Test("A short name is available as a word, with its escapes resolved; a longer one is not")
    func words() throws {
        let names = ["a", #"\u0061b"#, "sixteen bytes ok", "seventeen bytes no", #"a\u0000"#, "", "é"]
        let document = try document("{" + names.map { #""\#($0)":[\#($0.utf8.count)]"# }.joined(separator: ",") + "}")
        var words: [UInt128] = []
        document.visitMembers(of: document.root) { word, value in
            words.append(word)
            #expect(value.kind == .array)
        }
        #expect(words == ["a", "ab", "sixteen bytes ok", "", "", "", "é"].map(JSONSlice.word))
        document.visitMembers(of: try #require(document.members(of: document.root)).last!.value) { _, _ in Issue.record("an array's member")
        }
    }

    @Test("A document may be a part of the bytes; errors count from the start of all bytes")
    func part() throws {
        let bytes = Array(#"{"a": [1, "b"] ,"c"}"#.utf8)
        let document = try JSONDocument(parsing: 6..<14, of: bytes)
        #expect(document.text(document.root) == #"[1,"b"]"# && document.byteCount(of: document.root) == 8)
        #expect(throws: JSONError(.trailingBytes, at: 15)) { try JSONDocument(parsing: 6..<16, of: bytes) }
        #expect(throws: JSONError(.endOfInput, at: 10)) { try JSONDocument(parsing: 6..<10, of: bytes) }
        #expect(throws: JSONError(.endOfInput, at: bytes.count)) { try JSONDocument(parsing: 90..<99, of: bytes) }
    }

    @Test("A number keeps its source form")
    func numbers() throws {
        let document = try document(#"[1.50E+2,9007199254740993,"1"]"#)
        let elements = try #require(document.elements(of: document.root))
        #expect(elements.map { document.number($0)?.text } == ["1.50E+2", "9007199254740993", nil])
    }

    @Test(
        "An integer of 64 bits is read as such, and no other number",
        arguments: [
            "0", "-0", "7", "-7", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809",
            "18446744073709551616", "92233720368547758070", "1.0", "1e2", "-1.5",
        ])
    func integers(text: String) throws {
        let document = try document(text)
        #expect(document.int64(document.root) == Int64(text))
    }

    @Test("A value is nil when it is read as another kind")
    func kinds() throws {
        let document = try document(#"["x",1,null,{},[]]"#)
        let elements = try #require(document.elements(of: document.root))
        for element in elements {
            #expect((document.string(element) != nil) == (element.kind == .string))
            #expect((document.int64(element) != nil) == (element.kind == .number))
            #expect((document.members(of: element) != nil) == (element.kind == .object))
            #expect((document.elements(of: element) != nil) == (element.kind == .array))
            #expect(document.bool(element) == nil)
        }
    }

    @Test(
        "The compact text equals that of JSONValue",
        arguments: [
            #" { "n" : 1.50E+2 , "x" : [ null , true , false , [ ] , { } ] } "#, #""\u00e9 \/ \" \\ \u0001 \ud83d\ude00""#, "-0",
            #"{"\u0061":{"b\n":"\t"}}"#, "[]", "{}", #"[[[1],[2]],{"a":{"b":{"c":[{}]}}}]"#,
        ])
    func written(text: String) throws {
        let document = try document(text)
        #expect(document.text(document.root) == (try JSONValue.parse(text)).text)
    }

    @Test("The limits and their errors equal those of JSONValue")
    func limits() throws {
        let limits = JSONLimits(maximumDepth: 2, maximumValues: 4, refusesNUL: true)
        for text in [
            "[1,[2]]", "[1,[2],3]", "[[[]]]", #""\u0000""#, #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"a":{"b":1},"b":{"b":1,"b":2}}"#,
            #"{"a":1,"a":x}"#, #"{"a":[1,2],"a":[3]}"#, "", "[1,]", "1 1",
        ] {
            var expected: JSONError?
            do throws(JSONError) { _ = try JSONValue.parse(text, limits: limits) } catch { expected = error }
            var found: JSONError?
            do throws(JSONError) { _ = try JSONDocument(parsing: Array(text.utf8), limits: limits) } catch { found = error }
            #expect(found == expected, "\(text)")
        }
    }

    @Test("Duplicates are found in objects of every size", arguments: [1, 15, 16, 17, 18, 500])
    func duplicates(size: Int) throws {
        let members = (0..<size).map { #""k\#($0)":[\#($0)]"# }
        let document = try document("{\(members.joined(separator: ","))}")
        #expect(document.members(of: document.root)?.count == size)
        for repeated in Set([0, size / 2, size - 1]) {
            for name in ["k\(repeated)", #"\u006b\#(repeated)"#] {
                let text = "{\((members + [#""\#(name)":0"#]).joined(separator: ","))}"
                #expect(throws: JSONError(.duplicateMember, at: text.utf8.count - name.utf8.count - 5)) {
                    try JSONDocument(parsing: Array(text.utf8))
                }
            }
        }
    }
}

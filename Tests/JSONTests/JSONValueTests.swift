import Bytes
import HangGuard
import JSON
import Testing

@Suite("Values, numbers and the scanner", .guarded)
struct JSONValueTests {
    @Test(
        "A number is an integer only when written as one",
        arguments: [
            ("0", 0, 0, 0.0), ("-0", 0, nil, -0.0), ("1.0", nil, nil, 1.0), ("1e3", nil, nil, 1000.0), ("-7", -7, nil, -7.0),
            ("9223372036854775807", Int64.max, UInt64(Int64.max), 0x1p63), ("18446744073709551615", nil, UInt64.max, 0x1p64),
            ("-9223372036854775808", Int64.min, nil, -0x1p63), ("18446744073709551616", nil, nil, 0x1p64), ("1e400", nil, nil, nil),
            ("9007199254740993", 9_007_199_254_740_993, 9_007_199_254_740_993, 9_007_199_254_740_992.0),
        ] as [(String, Int64?, UInt64?, Double?)])
    func numbers(text: String, int: Int64?, uint: UInt64?, double: Double?) throws {
        let number = try #require(try JSONValue.parse(text).number)
        #expect(number.int64 == int)
        #expect(number.uint64 == uint)
        #expect(number.double == double)
        #expect(number.text == text)
    }

    @Test("Integers are written in full", arguments: [Int64.min, -10, -1, 0, 9, 10, 100, Int64.max])
    func integers(value: Int64) {
        var output: [UInt8] = [0x20]
        output.appendInteger(value)
        #expect(String(decoding: output, as: UTF8.self) == " \(value)")
    }

    @Test("Every scalar value survives writing and parsing")
    func everyScalar() throws {
        for start in stride(from: UInt32(0), to: 0x110000, by: 0x400) {
            let text = String(String.UnicodeScalarView((start..<start + 0x400).compactMap(Unicode.Scalar.init)))
            let back = try JSONValue.parse(JSONValue.string(text).text).string
            #expect(back.map { Array($0.utf8) } == Array(text.utf8))
        }
    }

    @Test("Every scalar value survives being escaped")
    func everyEscape() throws {
        for scalar in (UInt32(0)..<0x110000).lazy.filter({ $0 % 61 == 0 }).compactMap(Unicode.Scalar.init) {
            let escaped = String(scalar).utf16.map {
                "\\u" + String(repeating: "0", count: 4 - String($0, radix: 16).count) + String($0, radix: 16)
            }
            let back = try JSONValue.parse("\"\(escaped.joined())\"").string
            #expect(back.map { Array($0.unicodeScalars) } == [scalar])
        }
    }

    @Test("Members keep their order and are found by the exact bytes of their name")
    func members() throws {
        let value = try JSONValue.parse("{\"z\":1,\"a\":[true],\"e\u{301}\":3}")
        #expect(value.object?.members.map(\.name.utf8.count) == [1, 1, 3])
        #expect(value["a"] == [true])
        #expect(value["e\u{301}"] == 3)
        #expect(value["\u{E9}"] == nil)
        #expect(value["missing"] == nil)
        #expect(JSONValue.null["a"] == nil)
    }

    @Test("An object is edited by name")
    func editing() {
        var object = JSONObject()
        object["a"] = 1
        object["b"] = "x"
        object["a"] = 2
        object["c"] = nil
        #expect(JSONValue.object(object) == ["a": 2, "b": "x"])
        object["a"] = nil
        #expect(JSONValue.object(object).text == #"{"b":"x"}"#)
    }

    @Test("Accessors return a value only for their own kind")
    func accessors() {
        let values: [JSONValue] = [nil, true, 1, "x", [1], ["a": 1]]
        #expect(values.map(\.kind) == [.null, .bool, .number, .string, .array, .object])
        #expect(values.map { $0.bool != nil } == [false, true, false, false, false, false])
        #expect(values.map { $0.int64 != nil } == [false, false, true, false, false, false])
        #expect(values.map { $0.string != nil } == [false, false, false, true, false, false])
        #expect(values.map { $0.array != nil } == [false, false, false, false, true, false])
        #expect(values.map { $0.object != nil } == [false, false, false, false, false, true])
    }

    @Test("The scanner visits members and gives slices of the lent bytes")
    func scanning() throws {
        let bytes = Array(#"  {"id": 7, "type":"a\u0063k", "x":{"y":[1,{}]}, "all" : true, "é":"é"} "#.utf8)
        var scanner = JSONScanner(bytes.span)
        var seen: [String] = []
        var more = try scanner.enterObject(in: bytes.span)
        while more {
            let name = try scanner.name(in: bytes.span)
            let value = try scanner.value(in: bytes.span)
            let text = String(decoding: bytes[value.range], as: UTF8.self)
            seen.append("\(name.string(in: bytes.span) ?? "?")=\(value.kind)=\(text)")
            switch name.word(in: bytes.span) {
            case JSONSlice.word("id"): #expect(value.unsignedInteger(in: bytes.span) == 7)
            case JSONSlice.word("type"): #expect(value.string(in: bytes.span) == "ack" && value.hasEscapes)
            case JSONSlice.word("all"): #expect(value.bool(in: bytes.span) == true)
            default: #expect(value.bool(in: bytes.span) == nil && value.unsignedInteger(in: bytes.span) == nil)
            }
            more = try scanner.another(in: .object, bytes.span)
        }
        try scanner.finish(in: bytes.span)
        #expect(seen == ["id=number=7", #"type=string="a\u0063k""#, #"x=object={"y":[1,{}]}"#, "all=bool=true", "é=string=\"é\""])
    }

    @Test("A part of the bytes can be scanned on its own")
    func part() throws {
        let bytes = Array(#"[1,2]{"a":3}"#.utf8)
        #expect(try JSONValue.parse(5..<12, of: bytes.span) == ["a": 3])
        #expect(throws: JSONError(.endOfInput, at: 11)) { try JSONValue.parse(5..<11, of: bytes.span) }
        #expect(throws: JSONError(.endOfInput, at: 12)) { try JSONValue.parse(12..<400, of: bytes.span) }
    }

    @Test(
        "A word stands for a plain name of up to sixteen bytes",
        arguments: [
            ("", true), ("a", true), ("channels", true), ("unsubscribe", true), ("sixteen-bytes-ok", true), ("seventeen-bytes--", false),
            (#"\u0061"#, false), ("é", true),
        ])
    func words(name: String, hasOne: Bool) throws {
        let bytes = Array("\"\(name)\"".utf8)
        var scanner = JSONScanner(bytes.span)
        let word = try scanner.value(in: bytes.span).word(in: bytes.span)
        #expect((word != 0) == (hasOne && !name.isEmpty))
        if hasOne { #expect(word == JSONSlice.word(name)) }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 33, 50]) func differencesAtEveryOffsetAreFound(length: Int) {
        let text = String(repeating: "a", count: length)
        #expect(text.isSameText(as: text) && !text.isSameText(as: text + "a"))
        #expect(!"e\u{301}".isSameText(as: "\u{e9}"))
        for place in 0..<length {
            func with(_ character: String) -> String {
                String(repeating: "a", count: place) + character + String(repeating: "a", count: length - place - 1)
            }
            #expect(!text.isSameText(as: with("b")))
            #expect(JSONValue.string(with("\"")).text == "\"" + with("\\\"") + "\"")
            #expect(JSONValue.string(with("\u{1}")).text == "\"" + with("\\u0001") + "\"")
        }
    }
}

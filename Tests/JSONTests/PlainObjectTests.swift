import HangGuard
import Testing

@testable import JSON

@Suite("The fast path for plain objects", .guarded)
struct PlainObjectTests {
    private struct Member: Equatable {
        let name: UInt64
        let value: JSONSlice
    }

    private func scan(_ text: [UInt8], from start: Int = 0) -> (end: Int, members: [Member])? {
        var members: [Member] = []
        let end = PlainObject.scan(from: start, of: text.span) { name, value in
            members.append(Member(name: name, value: value))
            return true
        }
        return end.map { ($0, members) }
    }

    /// What the scanner makes of the same bytes; nil when it refuses them.
    private func oracle(_ text: [UInt8]) -> [Member]? {
        do {
            var scanner = JSONScanner(text.span)
            var members: [Member] = []
            var more = try scanner.enterObject(in: text.span)
            while more {
                let name = try scanner.name(in: text.span).string(in: text.span) ?? ""
                members.append(Member(name: PlainObject.word(String(name.prefix(8))), value: try scanner.value(in: text.span)))
                more = try scanner.another(in: .object, text.span)
            }
            try scanner.finish(in: text.span)
            return members
        } catch {
            return nil
        }
    }

    private static let ack = #"{"id":1234,"type":"ack","channel":"broadcast:system","seq":4711}"#

    @Test(
        "it finds the same members as the scanner",
        arguments: [
            ack, #"{"a":0}"#, #"{"seq":""}"#, #"{"id":18446744073709551616,"channels":"x"}"#,
            #"{"body":"\#(String(repeating: "a text that is longer than a block, ", count: 5))","key":"k"}"#,
        ])
    func plain(text: String) throws {
        let bytes = Array(text.utf8)
        let found = try #require(scan(bytes))
        #expect(found.end == bytes.count)
        #expect(found.members == oracle(bytes))
    }

    @Test(
        "it leaves objects that are not plain or not complete to the scanner",
        arguments: [
            "", "{", "{}", "[]", "1", #"{"a":1"#, #"{"a":1,}"#, #"{"a":1,"b"}"#, #"{"a": 1}"#, #"{ "a":1}"#, #"{"a":01}"#, #"{"a":-1}"#,
            #"{"a":1.5}"#, #"{"a":1e3}"#, #"{"a":}"#, #"{"a":null}"#, #"{"a":true}"#, #"{"a":[1]}"#, #"{"a":{}}"#, #"{"a":"\n"}"#,
            #"{"a":"é"}"#, "{\"a\":\"\n\"}", #"{"a":"x}"#, #"{"é":1}"#, #"{"a-b":1}"#, #"{"longername":1}"#, #"{"a"1}"#, #"{"a":1;"b":2}"#,
        ])
    func notPlain(text: String) {
        #expect(scan(Array(text.utf8)) == nil)
    }

    @Test("it begins at a given offset, and returns the offset of the object's end")
    func within() {
        #expect(scan(Array(#"xx{"a":1}{"b":2}"#.utf8), from: 2)?.end == 9)
        #expect(scan(Array(#"{"a":1}"#.utf8), from: 7) == nil)
    }

    @Test("it ends when the visitor stops it")
    func refused() {
        var seen = 0
        let end = PlainObject.scan(from: 0, of: Array(#"{"a":1,"b":2}"#.utf8).span) { _, _ in
            seen += 1
            return false
        }
        #expect(end == nil && seen == 1)
    }

    @Test("with any byte changed, removed or added, the scanner finds the same members in the objects that it accepts")
    func mutations() {
        let original = Array(Self.ack.utf8)
        var taken = 0
        for place in original.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = original
                changed[place] = byte
                var longer = original
                longer.insert(byte, at: place)
                for text in [changed, longer, Array(original[..<place]) + [byte]] {
                    guard let (end, members) = scan(text), end == text.count else { continue }
                    taken += 1
                    #expect(oracle(text) == members, "\(String(decoding: text, as: UTF8.self))")
                }
            }
        }
        #expect(taken > 1_000)
    }
}

import HangGuard
import JSON
import Testing

@Suite("Limits on the cost of a text", .guarded)
struct JSONLimitsTests {
    @Test("Nesting is accepted up to the limit and refused one level deeper", arguments: [1, 2, 63, 64])
    func depth(limit: Int) throws {
        let limits = JSONLimits(maximumDepth: limit)
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let inside = open == "[" ? "" : "1"
            let fits = String(repeating: open, count: limit) + inside + String(repeating: close, count: limit)
            let deep = String(repeating: open, count: limit + 1) + inside + String(repeating: close, count: limit + 1)
            #expect(throws: Never.self) { try JSONValue.parse(fits, limits: limits) }
            #expect(throws: JSONError(.tooDeep, at: open.utf8.count * limit)) { try JSONValue.parse(deep, limits: limits) }
            #expect(scan(fits, limits) == nil)
            #expect(scan(deep, limits) == JSONError(.tooDeep, at: open.utf8.count * limit))
        }
    }

    @Test("Siblings do not add to the depth")
    func siblings() throws {
        let text = "[" + Array(repeating: "[[]]", count: 500).joined(separator: ",") + "]"
        #expect(try JSONValue.parse(text, limits: JSONLimits(maximumDepth: 3)).array?.count == 500)
        #expect(scan(text, JSONLimits(maximumDepth: 3)) == nil)
    }

    @Test("A million opening brackets are refused at the limit")
    func bomb() {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(throws: JSONError(.tooDeep, at: 64)) { try JSONValue.parse(bytes) }
    }

    @Test("Limits outside their range are clamped", arguments: [(-5, 1), (0, 1), (7, 7), (65, 64), (Int.max, 64)])
    func clamped(asked: Int, given: Int) {
        #expect(JSONLimits(maximumDepth: asked).maximumDepth == given)
        #expect(JSONLimits(maximumValues: min(asked, 1)).maximumValues == 1)
    }

    @Test("The number of values is bounded, containers included")
    func values() throws {
        let limits = JSONLimits(maximumValues: 4)
        #expect(try JSONValue.parse("[1,[2]]", limits: limits).text == "[1,[2]]")
        #expect(throws: JSONError(.tooManyValues, at: 7)) { try JSONValue.parse(#"[1,[2],3]"#, limits: limits) }
    }

    @Test("U+0000 is refused when the caller asks for that, also in names")
    func nul() throws {
        let strict = JSONLimits(refusesNUL: true)
        #expect(try JSONValue.parse(#""\u0000""#).string == "\0")
        #expect(throws: JSONError(.nul, at: 2)) { try JSONValue.parse(#""a\u0000""#, limits: strict) }
        #expect(throws: JSONError(.nul, at: 2)) { try JSONValue.parse(#"{"\u0000":1}"#, limits: strict) }
        #expect(try JSONValue.parse(#""\\u0000\u0001""#, limits: strict).string == "\\u0000\u{1}")
    }

    @Test("Duplicates are found in objects of every size", arguments: [1, 15, 16, 17, 18, 500])
    func duplicates(size: Int) throws {
        let members = (0..<size).map { #""k\#($0)":\#($0)"# }
        #expect(try JSONValue.parse("{\(members.joined(separator: ","))}").object?.count == size)
        for repeated in Set([0, size / 2, size - 1]) {
            let text = "{\((members + [#""k\#(repeated)":0"#]).joined(separator: ","))}"
            #expect(throws: JSONError.self) { try JSONValue.parse(text) }
        }
    }

    @Test("The cost of an object is linear in its number of members")
    func manyMembers() throws {
        func cost(_ members: Int) throws -> Duration {
            let text = "{" + (0..<members).map { #""\#($0)":0"# }.joined(separator: ",") + "}"
            let bytes = Array(text.utf8)
            let clock = ContinuousClock()
            let start = clock.now
            let value = try JSONValue.parse(bytes)
            let cost = clock.now - start
            #expect(value.object?.count == members)
            return cost
        }
        let small = min(try cost(2_000), try cost(2_000))
        let large = min(try cost(64_000), try cost(64_000))
        #expect(large < small * 32 * 8, "32 times the members: \(small) became \(large)")
    }

    private func scan(_ text: String, _ limits: JSONLimits) -> JSONError? {
        let bytes = Array(text.utf8)
        do throws(JSONError) {
            var scanner = JSONScanner(bytes.span, limits: limits)
            _ = try scanner.value(in: bytes.span)
            try scanner.finish(in: bytes.span)
            return nil
        } catch {
            return error
        }
    }
}

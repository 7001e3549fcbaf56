import HangGuard
import Testing

@testable import CEL

/// Whatever the text and the values, there is a result or an error, and no crash.
@Suite("CEL: hostile texts and values", .guarded)
struct HostileTextTests {
    private static func refusal(_ text: String, limits: CELLimits = .standard) -> String {
        switch CaseVariables.result(of: text, limits: limits) {
        case .refused(let message): message
        case .value(let value), .error(let value): "accepted: \(value)"
        }
    }

    private static func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    static let deepTexts = [
        repeated("(", 2_000), repeated("[", 2_000), repeated("!", 3_000) + "flag", repeated("-", 3_000) + "n", repeated("-(", 2_000),
        repeated("zero[", 800), repeated("size(", 800), repeated("flag ? (", 500), repeated("flag ? 1 : ", 370) + "1",
        "n" + repeated(" + n", 1_000), "m" + repeated(".a", 2_000), "mixed" + repeated("[0]", 1_300), repeated("tags.all(t, ", 300),
        "(" + repeated("flag && (", 400), "n" + repeated(" == n", 800), "m" + repeated(".size()", 500),
    ]

    @Test("Deep nesting is refused", arguments: deepTexts)
    func deep(text: String) {
        #expect(Self.refusal(text).contains("nested more than 48 levels deep"))
        var limits = CELLimits()
        limits.depth = .max
        #expect(Self.refusal(text, limits: limits).contains("nested more than 128 levels deep"))
    }

    @Test("The deepest nesting is accepted, and one level more is refused")
    func boundary() {
        // A sum of 48 numbers is a tree of 48 levels.
        #expect(CaseVariables.result(of: "n" + Self.repeated(" + n", 47)) == .value("336"))
        #expect(Self.refusal("n" + Self.repeated(" + n", 48)) == "the condition is nested more than 48 levels deep")
        // The parentheses add no level to the tree, but to the parser's stack, where the whole expression is the first.
        #expect(CaseVariables.result(of: Self.repeated("(", 47) + "n" + Self.repeated(")", 47)) == .value("7"))
        #expect(Self.refusal(Self.repeated("(", 48) + "n" + Self.repeated(")", 48)) == "the condition is nested more than 48 levels deep")
    }

    /// All columns are 7, even the one that is declared as a bool.
    static let deepestTexts: [(text: String, outcome: CELOutcome)] = [
        (
            repeated("!", 126) + "after[\"odd name\"]",
            .failure(
                CELFailure(position: CELPosition(line: 1, column: 126), reason: .noSuchOverload(operation: "!", kinds: ["int"])))
        ),
        ("after.score" + repeated(" + 1", 125) + " > 131", .isTrue),
        ((0..<62).reduce("changed(score)") { inner, _ in "(after.score > 1 ? \(inner) : changed(title))" }, .isFalse),
    ]

    @Test("The deepest tree that the limits allow can be checked, run, printed and described", arguments: deepestTexts)
    func deepest(text: String, outcome: CELOutcome) throws {
        var limits = CELLimits()
        limits.depth = CELLimits.greatestDepth
        let condition = try CELCondition(text, declarations: RowTests.declarations, limits: limits)
        #expect(condition.evaluate { _ in .int(7) } == outcome)
        #expect(try CELCondition(condition.canonicalText, declarations: RowTests.declarations, limits: limits).program.steps.count > 100)
        for language in CELLanguage.allCases { #expect(condition.sentence(in: language).utf8.count > 15) }
    }

    @Test("A long text is refused unread, and a long list when it is read")
    func long() {
        #expect(Self.refusal(Self.repeated(" ", 4_096) + "1").contains("the condition has 4097 bytes, more than 4096"))
        #expect(Self.refusal("n in [" + Self.repeated("1,", 257) + "]").contains("the list has 257 elements, more than 256"))
        #expect(CaseVariables.result(of: "n in [" + Self.repeated("1,", 256) + "]") == .value("false"))
    }

    @Test("A long chain of && is one level")
    func chains() {
        #expect(CaseVariables.result(of: "flag" + Self.repeated(" && flag", 400)) == .value("true"))
        #expect(CaseVariables.result(of: "!flag" + Self.repeated(" || !flag", 400)) == .value("false"))
    }

    static let tooLarge: [(text: String, value: CELValue, what: String, limit: Int)] = [
        ("claims.v.contains('a')", .string(repeated("b", 65_537)), "the text of contains()", 65_536),
        ("claims.v.startsWith(claims.v)", .string(repeated("b", 65_537)), "the text that startsWith() looks for", 65_536),
        ("size(claims.v) > 1", .string(repeated("b", 65_537)), "the text of size()", 65_536),
        ("claims.v + 'b' == ''", .string(repeated("b", 65_536)), "the text of +", 65_536),
        ("claims.v + b'b' == b''", .bytes([UInt8](repeating: 1, count: 65_536)), "the bytes of +", 65_536),
        ("string(claims.v) == ''", .bytes([UInt8](repeating: 65, count: 65_537)), "the bytes of string()", 65_536),
        ("1 in claims.v", .list([CELValue](repeating: .int(2), count: 257)), "the list right of 'in'", 256),
        ("claims.v.all(e, e > 1)", .list([CELValue](repeating: .int(2), count: 257)), "the list of all()", 256),
        ("claims.v + [1] == []", .list([CELValue](repeating: .int(2), count: 256)), "the list of +", 256),
        ("claims.v == claims.v", .string(repeated("b", 300_000)), "the value to compare", 1_028),
        ("claims.v < claims.v", .string(repeated("b", 300_000)), "the value to compare", 1_028),
        ("claims.v == claims.v", .list([CELValue](repeating: .int(2), count: 1_028)), "the value to compare", 1_028),
        ("claims.v == claims.v", (0..<65).reduce(.int(1)) { inner, _ in .list([inner]) }, "the depth of the value to compare", 64),
        ("claims.v == claims.v", (0..<65).reduce(.int(1)) { inner, _ in .map(["k": inner]) }, "the depth of the value to compare", 64),
    ]

    @Test("A value that is too large is an error", arguments: tooLarge)
    func large(text: String, value: CELValue, what: String, limit: Int) throws {
        let condition = try CELCondition(text, declarations: CaseVariables.declarations)
        guard case .failure(let failure) = condition.evaluate({ _ in value }) else {
            Issue.record("\(text) has no failure")
            return
        }
        #expect(failure.reason == .tooLarge(what, limit: limit))
    }

    @Test("Random bytes of the language's alphabet have a result")
    func randomTexts() {
        var random = SeededBits(state: 7)
        let words = [
            "flag", "n", "x", "word", "tags", "m", "start", "claims", "exists", "all", "has", "size", "(", ")", "[", "]", ".", ",", "==",
            "<", "+",
            "-", "*", "/", "%", "!", "?", ":", "&&", "||", "in", "1", "0", "2.5", "'a'", "\"", "'''", "\\", "\u{e9}", "null", "true", "{",
            "0x",
            "duration", "timestamp", "e", "9223372036854775807", "r'", "\n", "u", "\0",
        ]
        var accepted = 0
        for _ in 0..<20_000 {
            let text = (0..<random.below(9) + 1).map { _ in words[random.below(words.count)] }.joined(
                separator: random.below(3) == 0 ? "" : " ")
            if case .refused = CaseVariables.result(of: text) { continue }
            accepted += 1
        }
        #expect(accepted > 100)
    }
}

/// SplitMix64. `TestKit` has it, too, but would bind these tests to PostgreSQL.
struct SeededBits {
    var state: UInt64

    mutating func below(_ count: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((bits ^ bits >> 31) % UInt64(count))
    }
}

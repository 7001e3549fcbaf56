import CEL
import HangGuard
import Testing

@Suite("CEL: what is known of a condition before it runs", .guarded)
struct AnalysisTests {
    private func condition(_ text: String) throws -> CELCondition { try CELCondition(text, declarations: RowTests.declarations) }

    private static func after(_ name: String, _ values: CELValue...) -> CELEquality {
        CELEquality(column: CELColumn(row: .after, name: name), values: values)
    }

    static let equalityCases: [(text: String, equalities: [CELEquality])] = [
        ("after.status == \"a\"", [after("status", .string("a"))]),
        ("\"a\" == after.status", [after("status", .string("a"))]),
        ("after.status in [\"a\", \"b\"]", [after("status", .string("a"), .string("b"))]),
        ("became(score, 1 + 2)", [after("score", .int(3))]),
        ("after.title == null", [after("title", .null)]),
        ("before.status == \"a\"", [CELEquality(column: CELColumn(row: .before, name: "status"), values: [.string("a")])]),
        ("after.status == \"a\" && (after.score == 1 && changed(title))", [after("status", .string("a")), after("score", .int(1))]),
        ("after.status == \"a\" || after.score == 1", []),
        ("!(after.status == \"a\")", []), ("after.status != \"a\"", []), ("after.status == before.status", []), ("after.score > 1", []),
        ("after.status in after.tags", []), ("became(status, before.title)", []), ("source.table == \"a\"", []), ("true", []),
        ("after.score == 1 ? true : false", []),
    ]

    @Test("The equalities are those that hold whenever the condition is true", arguments: equalityCases)
    func equalities(text: String, equalities: [CELEquality]) throws {
        #expect(try condition(text).equalities == equalities)
    }

    @Test("The columns that a condition reads, and whether it needs the old row")
    func columns() throws {
        let both = try condition("became(status, \"a\") && after.score > 1 && after.score < 5 && source.txId > 1")
        #expect(
            both.columns == [
                CELColumn(row: .before, name: "status"), CELColumn(row: .after, name: "status"), CELColumn(row: .after, name: "score"),
            ])
        #expect(both.readsBefore)
        #expect(both.inputs.map(\.description) == ["before.status", "after.status", "after.score", "source.txId"])
        let new = try condition("after.status == \"a\" && now > timestamp(\"2026-01-01T00:00:00Z\")")
        #expect(!new.readsBefore)
        #expect(new.inputs == [.column(CELColumn(row: .after, name: "status")), .variable("now")])
        #expect(try condition("has(before.title)").readsBefore)
    }

    @Test("Two spellings of one condition have one text")
    func canonicalText() throws {
        let text = try condition("(after['status']=='a')&&( after.score>( 1+2 ) )").canonicalText
        #expect(text == "after[\"status\"] == \"a\" && after.score > 1 + 2")
        #expect(try condition(text).canonicalText == text)
    }

    @Test(
        "The cost is that of the worst case",
        arguments: [
            ("true", 1), ("after.score > 1", 3), ("1 + 2 == 3", 1), ("after.status == \"published\"", 3),
            // Two unknown texts are compared up to the budget of a comparison.
            ("after.status == after.title", 1_030), ("changed(score)", 3), ("changed(status)", 1_030),
            // Four times 257 units of 256 bytes, for a text of up to 64 KiB and a word of 4 bytes.
            ("after.status.contains(\"word\")", 1_027),
            ("after.tags.exists(t, t == \"art\")", 1 + 256 * 3 + 257), ("[1, 2].all(e, e > after.score)", 1 + 2 * 3 + 3),
            ("\"art\" in after.tags", 2 + 256 + 1), ("after.score in [1, 2, 3]", 2 + 3 + 1),
        ])
    func cost(text: String, cost: Int) throws {
        #expect(try condition(text).cost == cost)
    }

    @Test("A condition that could cost too much is refused")
    func tooExpensive() throws {
        _ = try condition("after.tags.exists(t, t.contains(\"art\"))")
        let nested = "after.tags.exists(t, after.tags.exists(u, after.tags.all(v, t.contains(u) || u.contains(v))))"
        let error = try #require(throws: CELError.self) { try condition(nested) }
        #expect(error.message.contains("more than 300000"))
        // A product that does not fit into 64 bits is refused as well.
        let deep = (0..<12).reduce("true") { inner, level in "after.tags.all(v\(level), \(inner))" }
        #expect(try #require(throws: CELError.self) { try condition(deep) }.message.contains("\(Int.max) steps"))
        var limits = CELLimits()
        limits.cost = 2
        #expect(throws: CELError.self) { try CELCondition("after.score > 1", declarations: RowTests.declarations, limits: limits) }
    }
}

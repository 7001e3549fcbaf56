import CEL
import HangGuard
import Testing

/// `changed`, `became`, and columns that were not delivered.
@Suite("CEL: conditions on rows", .guarded)
struct RowTests {
    static let declarations = CELDeclarations(
        row: CELRecord([
            "status": .string, "title": .string, "score": .int, "rate": .double, "tags": .list(.string), "data": .dyn, "odd name": .bool,
        ]),
        variables: ["now": .timestamp], records: ["source": CELRecord(["table": .string, "txId": .int]), "claims": .open])

    /// The columns by name, as `before.status`; a name that is left out does not exist.
    struct Row: Sendable {
        var values: [String: CELValue]

        init(_ values: [String: CELValue]) { self.values = values }

        func outcome(of text: String) throws -> CELOutcome {
            let condition = try CELCondition(text, declarations: declarations)
            let inputs = condition.inputs
            return condition.evaluate { values[inputs[$0].description] }
        }
    }

    static let update = Row([
        "before.status": .string("draft"), "after.status": .string("published"), "before.score": .int(3), "after.score": .int(3),
        "before.rate": .double(.nan), "after.rate": .double(.nan), "before.title": .null, "after.title": .string("Été"),
        "before.odd name": .bool(false), "after.odd name": .bool(true), "before.data": .list([.int(1)]), "after.data": .list([.double(1)]),
        "source.table": .string("portfolio"),
    ])
    static let insert = Row(["after.status": .string("published"), "after.title": .null])
    static let delete = Row(["before.status": .string("published")])

    static func unknown(_ column: String, _ row: CELColumn.Row, _ reason: CELUnknown.Reason) -> CELValue {
        .unknown(CELUnknown(column: CELColumn(row: row, name: column), reason: reason))
    }

    /// REPLICA IDENTITY DEFAULT: the old row is not delivered.
    static let noOldRow = Row([
        "before.status": unknown("status", .before, .notDelivered), "after.status": .string("published"),
        "before.score": unknown("score", .before, .notDelivered), "after.score": .int(1),
    ])
    /// A long title that did not change.
    static let longTitle = Row([
        "before.title": unknown("title", .before, .notDelivered), "after.title": unknown("title", .after, .unchanged),
        "after.status": .string("published"), "after.score": .int(0),
    ])

    @Test(
        "An update compares both rows",
        arguments: [
            ("changed(after.status)", true), ("changed(before.status)", true), ("changed(status)", true),
            ("changed(after[\"status\"])", true),
            ("changed(after.score)", false), ("!changed(score)", true), ("changed(title)", true), ("changed(after[\"odd name\"])", true),
            // PostgreSQL's NaN equals itself; numbers in JSON compare by value.
            ("changed(rate)", false), ("changed(data)", false),
            ("became(status, \"published\")", true), ("became(after.status, \"draft\")", false), ("became(score, 3)", false),
            ("became(title, null)", false), ("became(after[\"odd name\"], true)", true),
            ("before.status == \"draft\" && after.status == \"published\" && source.table == \"portfolio\"", true),
            ("before.title == null && after.title != null", true),
        ])
    func updates(text: String, isTrue: Bool) throws {
        #expect(try Self.update.outcome(of: text) == (isTrue ? .isTrue : .isFalse))
    }

    @Test("An insert and a delete change each column")
    func insertsAndDeletes() throws {
        #expect(try Self.insert.outcome(of: "changed(status)") == .isTrue)
        #expect(try Self.insert.outcome(of: "changed(title)") == .isTrue)
        #expect(try Self.insert.outcome(of: "became(status, \"published\")") == .isTrue)
        #expect(try Self.insert.outcome(of: "became(status, \"draft\")") == .isFalse)
        #expect(try Self.insert.outcome(of: "has(before.status)") == .isFalse)
        #expect(try Self.delete.outcome(of: "changed(status)") == .isTrue)
        #expect(try Self.delete.outcome(of: "became(status, \"published\")") == .isFalse)
        #expect(try Self.delete.outcome(of: "has(after.status)") == .isFalse)
        #expect(try Self.delete.outcome(of: "\"status\" in before") == .isTrue)
    }

    @Test("A row that does not exist has no columns")
    func missingRows() throws {
        let key = CELFailureReason.noSuchKey("before.status")
        #expect(try Self.insert.outcome(of: "before.status == \"draft\"") == Self.failure(8, key))
        #expect(try Self.insert.outcome(of: "changed(score)") == Self.failure(1, .noSuchKey("after.score")))
        #expect(try Self.insert.outcome(of: "became(score, 1)") == Self.failure(1, .noSuchKey("after.score")))
    }

    private static func failure(_ column: Int, _ reason: CELFailureReason) -> CELOutcome {
        .failure(CELFailure(position: CELPosition(line: 1, column: column), reason: reason))
    }

    @Test(
        "Without the old row, what depends on it is unknown",
        arguments: [
            ("changed(status)", "status"), ("became(status, \"published\")", "status"), ("before.status == \"draft\"", "status"),
            ("before.status != null", "status"), ("!changed(status)", "status"), ("before.status in [\"draft\"]", "status"),
            ("before.score + 1 > 2", "score"), ("before.status.startsWith(\"d\")", "status"), ("[before.score] == [1]", "score"),
            ("changed(status) && after.score == 1", "status"), ("changed(status) || after.score == 2", "status"),
            ("changed(status) ? true : true", "status"), ("after.score == 1 ? changed(score) : true", "score"),
            ("[1, 2].exists(e, e == before.score)", "score"), ("size(before.status) == 1", "status"), ("-before.score == 1", "score"),
            // An unknown operand is stronger than an error.
            ("1 / 0 == 1 && changed(status)", "status"), ("changed(status) || 1 / 0 == 1", "status"),
        ])
    func unknowns(text: String, column: String) throws {
        let unknown = CELUnknown(column: CELColumn(row: .before, name: column), reason: .notDelivered)
        #expect(try Self.noOldRow.outcome(of: text) == .unknown(unknown))
    }

    @Test(
        "An unknown operand does not matter when the other one decides",
        arguments: [
            ("changed(status) && after.score == 2", false), ("after.score == 2 && changed(status)", false),
            ("changed(status) || after.score == 1", true), ("after.score == 1 || changed(status)", true),
            ("became(status, \"draft\")", false), ("has(before.status)", true), ("after.score == 1 ? true : changed(status)", true),
            ("[1, 2].all(e, e == before.score && e == 3)", false),
        ])
    func absorbed(text: String, isTrue: Bool) throws {
        #expect(try Self.noOldRow.outcome(of: text) == (isTrue ? .isTrue : .isFalse))
    }

    @Test("A long value that was left out did not change")
    func unchangedValues() throws {
        #expect(try Self.longTitle.outcome(of: "changed(title)") == .isFalse)
        #expect(try Self.longTitle.outcome(of: "became(title, \"a\")") == .isFalse)
        let unknown = CELUnknown(column: CELColumn(row: .after, name: "title"), reason: .unchanged)
        #expect(try Self.longTitle.outcome(of: "after.title == \"a\"") == .unknown(unknown))
        #expect(unknown.description == "after.title was not delivered because it is long and did not change")
    }

    @Test("The result of a condition of unknown type is checked when it runs")
    func dynamicResult() throws {
        var row = Self.update
        #expect(try row.outcome(of: "claims.isTeacher") == Self.failure(8, .noSuchKey("isTeacher")))
        row.values["claims.isTeacher"] = .bool(true)
        #expect(try row.outcome(of: "claims.isTeacher") == .isTrue)
        row.values["claims.isTeacher"] = .string("yes")
        let reason = CELFailureReason.noSuchOverload(operation: "the condition", kinds: ["string"])
        #expect(try row.outcome(of: "claims.isTeacher") == Self.failure(8, reason))
    }
}

import CEL
import HangGuard
import Testing

@Suite("CEL: errors of a text and their places", .guarded)
struct ErrorPositionTests {
    @Test(
        "An error names its line, its column and what was expected",
        arguments: [
            ("true && (1 + 2) && after.status", "line 1, column 10: expected bool on both sides of &&, got int on the right"),
            ("true && after.status", "line 1, column 9: expected bool on both sides of &&, got string on the right"),
            ("after.status == 3", "line 1, column 14: expected the same type on both sides of ==, got string and int"),
            ("after.score > 3 &&\n  after.stauts == \"x\"", "line 2, column 9: 'after' has no column 'stauts': did you mean 'status'?"),
            ("after[\"titel\"] == \"x\"", "line 1, column 7: 'after' has no column 'titel': did you mean 'title'?"),
            ("source.tabel == \"x\"", "line 1, column 8: 'source' has no field 'tabel': did you mean 'table'?"),
            ("status == \"x\"", "line 1, column 1: unknown name 'status': the column is after.status or before.status"),
            ("aftre.status == \"x\"", "line 1, column 1: unknown name 'aftre': did you mean 'after'?"),
            ("qqqqqq", "line 1, column 1: unknown name 'qqqqqq'"),
            ("after == before", "line 1, column 1: 'after' has no value of its own: name a field, as in after.data"),
            // Columns are characters, not bytes; a flag is one character.
            ("\"é🇫🇷\" == 3", "line 1, column 6: expected the same type on both sides of ==, got string and int"),
            ("\"\"\"a\nb\"\"\" == 3", "line 2, column 6: expected the same type on both sides of ==, got string and int"),
            ("1 +\r\n true", "line 1, column 3: no '+' for these types, got int and bool"),
            ("after.status", "line 1, column 1: expected a condition of type bool, got string"),
            ("", "line 1, column 1: expected a value, got the end of the condition"),
            ("changed(after)", "line 1, column 9: expected a column as the first argument of changed(), as in changed(after.title)"),
            ("changed(tittle)", "line 1, column 9: 'after' has no column 'tittle': did you mean 'title'?"),
            ("changed(1 + 2)", "line 1, column 9: expected a column as the first argument of changed(), as in changed(after.title)"),
            ("became(score)", "line 1, column 1: expected 2 arguments of became(), got 1"),
            ("became(score, \"3\")", "line 1, column 15: expected int as the value that 'score' became, got string"),
            (
                "after.title.matches(\"a*\")",
                "line 1, column 13: matches() is not supported because the cost of a regular expression is not bounded: use startsWith, "
                    + "endsWith or contains"
            ),
            ("after.title.lenght() > 2", "line 1, column 13: unknown function 'lenght'"),
            ("chnaged(title)", "line 1, column 1: unknown function 'chnaged': did you mean 'changed'?"),
            ("size(after.score) > 2", "line 1, column 6: expected string, bytes, list or map for size(), got int"),
            ("now.getHours(\"Europe/Paris\") > 2", "line 1, column 5: time zones are not supported: getHours() is in UTC"),
            (
                "now - duration(\"1d\") > now",
                "line 1, column 16: expected a duration of up to 292 years, such as 1h30m or 1.5s, with the units h, m, s, ms, us and ns"
            ),
        ])
    func positions(text: String, description: String) throws {
        let error = try #require(throws: CELError.self) { try CELCondition(text, declarations: RowTests.declarations) }
        #expect(error.description == description)
    }

    @Test("Without rows, there is no changed()")
    func noRows() throws {
        let error = try #require(throws: CELError.self) { try CELCondition("changed(title)", declarations: CELDeclarations()) }
        #expect(error.description == "line 1, column 1: changed() is not available: there are no rows here")
    }

    @Test("An error of an evaluation names its place, too")
    func evaluation() throws {
        let condition = try CELCondition("true &&\n  6 / after.score == 2", declarations: RowTests.declarations)
        guard case .failure(let failure) = condition.evaluate({ _ in .int(0) }) else {
            Issue.record("no failure")
            return
        }
        #expect(failure.description == "line 2, column 5: division by zero")
        #expect(condition.evaluate { _ in .int(3) } == .isTrue)
    }
}

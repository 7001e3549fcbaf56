import ChangeCapture
import HangGuard
import Testing

@testable import Rules

@Suite("The rules file", .guarded)
struct RulesFileTests {
    static let good = """
        version: 1
        rules:
          - { name: a, table: app.review, when: after.x == 1, to: "user:{y}", type: t }
        """

    @Test("A file without faults gives its rules in order")
    func goodFile() throws {
        let rules = try RuleSet(parsing: Self.good)
        #expect(rules.rules.map(\.name) == ["a"] && rules.rules[0].table.description == "app.review")
    }

    @Test(
        "A fault is reported with its line and what was expected",
        arguments: [
            ("", "the file is empty; expected version, tables and rules"),
            ("[1]", "line 1: expected members as `name: value`"),
            ("version: 2\nrules: []", "line 1: version: expected 1, got 2"),
            ("rules: []", "line 1: version: missing"),
            ("version: 1\nrulez: []", "line 2: rulez: there is no such member; did you mean rules?"),
            ("version: 1\nrules: 3", "line 2: rules: expected a list"),
            ("version: 1\nrules: [{}]", "line 2: name: missing"),
            ("version: 1\na: [", "line 3: not YAML: did not find expected node content"),
            (
                "version: 1\nrules:\n  - { name: a, table: x.y.z, to: u, type: t }",
                "line 3: rule a: table: expected schema.table, got x.y.z"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, when: 'after.x ==', to: 'user:{y}', type: t }",
                "line 3: rule a: when: line 1, column 11:"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, when: 'changed(after.x)', to: 'user:{y}', type: t }",
                "line 3: rule a: the condition compares with the old row: set REPLICA IDENTITY FULL"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, to: 'user:{y', type: t }",
                "line 3: rule a: to: expected } after {y"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, to: 'user:{y}', type: t, expires: soon }",
                "line 3: rule a: expires: expected a number and a unit, such as 30m, 12h or 7d, got soon"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, to: 'user:{y}', type: t, priority: urgent }",
                "line 3: rule a: priority: expected one of low, normal, high, critical, got urgent"
            ),
            (
                "version: 1\nrules:\n  - { name: a, table: t, to: 'user:{y}', type: t }\n  - { name: a, table: t, to: 'user:{y}', type: t }",
                "line 4: rule a: the rule of line 3 has the same name"
            ),
            (
                "version: 1\ntables: { app.x: { columns: { a: frob } } }",
                "line 2: columns: a: frob is not a type of PostgreSQL"
            ),
            ("version: 1\ntables: { app.x: { identity: half } }", "line 2: identity: expected full or default, got half"),
        ])
    func faults(text: String, expected: String) throws {
        let refusal = #expect(throws: RulesRefusal.self) { try RuleSet(parsing: text) }
        let description = try #require(refusal?.description)
        #expect(description.contains(expected), "\(description)")
    }

    @Test("All faults are reported at once")
    func allFaults() throws {
        let refusal = #expect(throws: RulesRefusal.self) {
            try RuleSet(parsing: "version: 1\nrules:\n  - { name: a, type: t }\n  - { name: 'b c', table: t, to: u, type: t }")
        }
        #expect(try #require(refusal).faults.count == 3)
    }

    @Test("Braces stand for themselves when doubled")
    func braces() throws {
        #expect(try RuleText(parsing: "a {{b}} {c}").parts == [.text("a {b} "), .column("c")])
    }
}

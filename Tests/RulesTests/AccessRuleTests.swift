import ChangeCapture
import HangGuard
import Rules
import Testing

/// Rights that rows grant.
@Suite("Access rules", .guarded) struct AccessRuleTests {
    static let file = """
        version: 1
        tables:
          app.assignment:
            columns: {id: integer, login: text, activity: integer, role: text, starts: timestamptz, ends: date}
        access:
          - name: members
            table: app.assignment
            when: after.role == "STUDENT"
            user: "{login}"
            channel: "broadcast:activity:{activity}"
            from: starts
            until: ends
        """

    /// The record of a change of the table's row 7, decoded.
    static func change(_ operation: String, _ after: String?) throws -> RowChange {
        let value = """
            {"before":\(operation == "d" ? "{\"id\":7}" : "null"),"after":\(after ?? "null"),"source":{"version":"3.6.3","connector":"postgresql",\
            "name":"app","ts_ms":1764500000000,"snapshot":"\(operation == "r" ? "true" : "false")","db":"platform","schema":"app",\
            "table":"assignment","txId":55,"lsn":900},"op":"\(operation)","ts_ms":1764500000100}
            """
        var decoder = ChangeDecoder(try RuleSet(parsing: file).changes)
        let record = ChangeRecord(topic: "app.app.assignment", key: Array("{\"id\":7}".utf8), value: Array(value.utf8))
        guard case .row(let change) = decoder.decode(record) else { throw NotAChange(value: value) }
        return change
    }

    struct NotAChange: Error { let value: String }

    static func row(_ login: String?, role: String = "STUDENT", starts: String? = nil, ends: String = "null") -> String {
        let login = login.map { "\"\($0)\"" } ?? "null"
        let starts = starts.map { "\"\($0)\"" } ?? "null"
        return #"{"id":7,"login":\#(login),"activity":3,"role":"\#(role)","starts":\#(starts),"ends":\#(ends)}"#
    }

    static func outcome(_ operation: String, _ after: String?) throws -> RuleOutcome {
        try RuleSet(parsing: file).outcome(of: change(operation, after))
    }

    static func access(_ operation: String, _ after: String?) throws -> [RuleAccess] { try outcome(operation, after).access }

    @Test("a row grants while its condition is true, also one of a snapshot, and its end takes the right away")
    func grants() throws {
        for operation in ["c", "u", "r"] {
            let access = try #require(try Self.access(operation, Self.row("ann")).first)
            #expect(access.rule == "members")
            #expect(access.grant?.user == "ann")
            #expect(access.grant?.channel == "broadcast:activity:3")
            #expect(access.grant?.from == nil && access.grant?.until == nil)
        }
        #expect(try Self.access("u", Self.row("ann", role: "STAFF")).map(\.grant) == [nil])
        #expect(try Self.access("u", Self.row(nil)).map(\.grant) == [nil])
        #expect(try Self.access("d", nil).map(\.grant) == [nil])
    }

    @Test("dates: a time is a moment, a date ends with its day")
    func dates() throws {
        let row = Self.row("ann", starts: "1970-01-01T00:00:05Z", ends: "2")
        let grant = try #require(try Self.access("c", row).first?.grant)
        #expect(grant.from == 5_000)
        #expect(grant.until == 259_200_000)
        let text = Self.file.replacing("until: ends", with: "until: role")
        let outcome = try RuleSet(parsing: text).outcome(of: Self.change("c", Self.row("ann")))
        #expect(outcome.access.map(\.grant) == [nil], "what cannot be judged grants nothing")
        #expect(outcome.failures.map(\.rule) == ["members"])
    }

    @Test(
        "each fault of the file is named",
        arguments: [
            ("name: x", "table: missing"), ("name: x\n    table: a.b", "user: missing"),
            ("name: x\n    table: a.b\n    user: u\n    channel: inbox", "channel: expected broadcast:<name>, got inbox"),
            (
                "name: x\n    table: a.b\n    user: u\n    channel: broadcast:c\n    when: changed(after.a)",
                "when: it can read only the new row (after)"
            ),
            ("name: x\n    table: a.b\n    user: u\n    channel: broadcast:c\n    to: y", "to: there is no such member"),
            ("name: x\n    table: a.b\n    user: \"{u\"\n    channel: broadcast:c", "user: expected }"),
        ])
    func faults(rule: String, expected: String) throws {
        do {
            _ = try RuleSet(parsing: "version: 1\naccess:\n  - \(rule)\n")
            Issue.record("no fault")
        } catch { #expect(error.description.contains(expected), "\(error)") }
    }

    @Test("it describes itself in both languages, and shares the names with rules")
    func listing() throws {
        let rule = try #require(try RuleSet(parsing: Self.file).access.first)
        #expect(rule.sentence(in: .english).contains("lets {login} follow broadcast:activity:{activity} (starts – ends)"))
        #expect(rule.sentence(in: .french).contains("permet à {login}"))
        let twice = Self.file + "\nrules:\n  - {name: members, table: a.b, to: user:x, type: t}\n"
        #expect(throws: RulesRefusal.self) { try RuleSet(parsing: twice) }
    }
}

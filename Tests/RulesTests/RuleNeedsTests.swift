import HangGuard
import Testing

@testable import Rules

/// What a rule needs of its table, for `hub doctor`.
@Suite("Needs of rules", .guarded) struct RuleNeedsTests {
    private func needs(_ members: String, identity: String = "full") throws -> RuleNeeds {
        let text =
            "version: 1\ntables: { app.t: { identity: \(identity) } }\nrules: [{ name: r, table: app.t, type: t, to: 'user:{owner}', \(members) }]"
        return try #require(try RuleSet(parsing: text).rules.first).needs
    }

    @Test func `All columns of conditions, targets and texts are named`() throws {
        let needs = try needs(
            "when: 'after.status == \"open\" && after.kind != 3', holds: 'after.active', title: '{name}', link: '/x/{id}', data: [due]",
            identity: "default")
        #expect(needs.columns == ["active", "due", "id", "kind", "name", "owner", "status"])
        #expect(needs.oldColumns == [] && needs.deletedColumns == [] && needs.retracts)
    }

    @Test func `A comparison with the old row needs its columns`() throws {
        #expect(try needs("when: 'became(after.status, \"open\") && before.kind == 1'").oldColumns == ["kind", "status"])
    }

    @Test func `A rule over deletes needs what it shows of the deleted row`() throws {
        let needs = try needs("operations: [delete], title: '{name}'")
        #expect(needs.deletedColumns == ["name", "owner"] && !needs.retracts)
    }
}

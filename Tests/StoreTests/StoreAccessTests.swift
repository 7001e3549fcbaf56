import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreAccessTests {
    private func change(
        _ row: String, _ lsn: Int64, _ user: String?, _ channel: String = "activity:1", rule: String = "r", from: Int64? = nil,
        until: Int64? = nil
    ) throws -> AccessChange {
        let change = ChangePosition(commit: lsn, lsn: lsn, time: Timestamp(milliseconds: lsn))
        let grant = try user.map { name in
            try #require(
                AccessChange.Grant(
                    user: try TestKit.user(name), channel: .broadcast(channel), from: from.map { Timestamp(milliseconds: $0) },
                    until: until.map { Timestamp(milliseconds: $0) }))
        }
        return AccessChange(row: row, rule: rule, change: change, grant: grant)
    }

    /// Nothing is settled by the clock.
    private func bench() async throws -> StoreBench { try await StoreBench { $0.withdrawalInterval = .seconds(3_600) }.ready() }

    private func members(_ bench: StoreBench) throws -> String? {
        try bench.cell(
            "select string_agg(c.name || ' ' || m.user_id, ', ' order by c.name, m.user_id) from hub.member m join hub.channel c on c.id = m.channel_id"
        )
    }

    private func withdrawn(_ bench: StoreBench) -> [BusEvent] {
        bench.bus.events.filter { if case .withdrawn = $0 { true } else { false } }
    }

    @Test func aRowGrantsMovesAndEnds() async throws {
        let bench = try await bench()
        #expect(await bench.ask(.changeAccess([try change("a", 1, "ann"), try change("b", 1, "bob")])) == .accessChanged)
        #expect(try members(bench) == "broadcast:activity:1 ann, broadcast:activity:1 bob")
        // The row is another user's now, and the other one is gone.
        _ = await bench.ask(.changeAccess([try change("a", 2, "cat"), try change("b", 2, nil)]))
        #expect(try members(bench) == "broadcast:activity:1 cat")
        #expect(withdrawn(bench).count == 2)
        _ = await bench.ask(.changeAccess([try change("a", 3, "cat", "activity:2")]))
        #expect(try members(bench) == "broadcast:activity:2 cat")
    }

    @Test func whatAConnectorSendsAgainHasNoEffect() async throws {
        let bench = try await bench()
        let all = [try change("a", 1, "ann"), try change("a", 2, nil), try change("a", 3, "bob"), try change("a", 4, nil)]
        for one in all { _ = await bench.ask(.changeAccess([one])) }
        #expect(try members(bench) == nil)
        let before = withdrawn(bench).count
        for one in all { _ = await bench.ask(.changeAccess([one])) }
        #expect(try members(bench) == nil)
        #expect(withdrawn(bench).count == before)
        // In one order the last of a row counts.
        _ = await bench.ask(.changeAccess([try change("a", 5, "ann"), try change("a", 6, "bob")]))
        #expect(try members(bench) == "broadcast:activity:1 bob")
    }

    @Test func aRightThatTwoRowsGrantEndsWithTheLast() async throws {
        let bench = try await bench()
        _ = await bench.ask(.changeAccess([try change("a", 1, "ann"), try change("b", 1, "ann"), try change("b", 1, "ann", rule: "s")]))
        _ = await bench.ask(.changeAccess([try change("a", 2, nil)]))
        #expect(try members(bench) == "broadcast:activity:1 ann")
        #expect(withdrawn(bench).isEmpty)
        _ = await bench.ask(.changeAccess([try change("b", 2, nil), try change("b", 2, nil, rule: "s")]))
        #expect(try members(bench) == nil)
        #expect(withdrawn(bench) == [.withdrawn(.broadcast("activity:1"), from: try user("ann"))])
    }

    @Test func aRightPassesFromOneRowToAnotherInOneOrder() async throws {
        let bench = try await bench()
        _ = await bench.ask(.changeAccess([try change("a", 1, "ann")]))
        _ = await bench.ask(.changeAccess([try change("a", 2, nil), try change("b", 2, "ann")]))
        #expect(try members(bench) == "broadcast:activity:1 ann")
        #expect(withdrawn(bench).isEmpty)
    }

    @Test func aMembershipThatNoRowMadeStays() async throws {
        let bench = try await bench()
        _ = await bench.ask(.changeAccess([try change("a", 1, "bob")]))
        _ = try bench.query(
            "insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel where name = 'broadcast:activity:1'")
        _ = await bench.ask(.changeAccess([try change("b", 1, "ann")]))
        _ = await bench.ask(.changeAccess([try change("a", 2, nil), try change("b", 2, nil)]))
        #expect(try members(bench) == "broadcast:activity:1 ann")
    }

    @Test func datesBeginAndEndARightWithoutAChangeOfTheRow() async throws {
        let bench = try await bench()
        let now = WallClock.now()
        _ = await bench.ask(
            .changeAccess([
                try change("a", 1, "ann", from: now + 3_600_000), try change("b", 1, "bob", until: now + 3_600_000),
                try change("c", 1, "cat", until: now - 1_000), try change("d", 1, "dan", from: now - 1_000, until: now + 7_200_000),
            ]))
        #expect(try members(bench) == "broadcast:activity:1 bob, broadcast:activity:1 dan")
        #expect(await bench.ask(.settleAccess) == .accessSettled(more: false))
        #expect(try members(bench) == "broadcast:activity:1 bob, broadcast:activity:1 dan")
        // An hour passes.
        _ = try bench.query(
            "update hub.access_grant set valid_from = valid_from - interval '1 hour', valid_until = valid_until - interval '1 hour', due_at = due_at - interval '1 hour'"
        )
        _ = await bench.ask(.settleAccess)
        #expect(try members(bench) == "broadcast:activity:1 ann, broadcast:activity:1 dan")
        #expect(withdrawn(bench) == [.withdrawn(.broadcast("activity:1"), from: try user("bob"))])
        #expect(try bench.cell("select count(*) from hub.access_grant where due_at is not null") == "1")
    }

    @Test func theClockRunsByItselfAlsoAfterARestartAndWithTwoHubs() async throws {
        let first = try await bench()
        _ = await first.ask(.changeAccess([try change("a", 1, "ann", until: WallClock.now() + 1_500)]))
        #expect(try members(first) != nil)
        let hubs = [try await StoreBench(first.address).ready(), try await StoreBench(first.address).ready()]
        try await until { try members(first) == nil }
        // Both learn of it, whoever did it.
        try await until { hubs.allSatisfy { !withdrawn($0).isEmpty } }
    }

    @Test func manyDatesPassInSteps() async throws {
        let bench = try await bench()
        let changes = try (0..<1_200).map { try change("row \($0)", 1, "user \($0)") }
        _ = await bench.ask(.changeAccess(changes))
        #expect(try bench.cell("select count(*) from hub.member") == "1200")
        _ = try bench.query("update hub.access_grant set valid_until = now(), due_at = now()")
        #expect(await bench.ask(.settleAccess) == .accessSettled(more: true))
        #expect(await bench.ask(.settleAccess) == .accessSettled(more: true))
        #expect(await bench.ask(.settleAccess) == .accessSettled(more: false))
        #expect(try bench.cell("select count(*) from hub.member") == "0")
        #expect(withdrawn(bench).count == 1_200)
    }
}

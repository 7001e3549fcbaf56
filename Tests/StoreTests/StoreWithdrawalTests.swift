import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreWithdrawalTests {
    private static func withdrawn(_ bench: StoreBench) -> [BusEvent] {
        bench.bus.events.filter { if case .withdrawn = $0 { true } else { false } }
    }

    private func conversation(_ bench: StoreBench, _ one: String, _ other: String) async throws -> Channel {
        try #require(await bench.ask(.open(try user(one), with: try user(other), context: nil, most: 100)).opened).channel
    }

    /// Nothing is read by the clock.
    private func bench(_ address: String? = nil) async throws -> StoreBench {
        try await StoreBench(address) { $0.withdrawalInterval = .seconds(3_600) }.ready()
    }

    private func ask(_ bench: StoreBench, _ position: WithdrawalPosition) async throws -> WithdrawalPosition {
        guard case .withdrawals(let next) = await bench.ask(.withdrawals(after: position)) else {
            Issue.record("no position")
            return position
        }
        return next
    }

    @Test func aMembershipThatAnotherProgramDeletesIsToldWithinASecond() async throws {
        let bench = try await StoreBench().ready()
        let channel = try await conversation(bench, "ann", "bob")
        try await until { try bench.cell("select count(*) from hub.member") == "2" }
        let deleted = MonotonicInstant.now
        _ = try bench.query("delete from hub.member where user_id = 'bob'")
        try await until { Self.withdrawn(bench).contains(.withdrawn(channel, from: try user("bob"))) }
        #expect(MonotonicInstant.now - deleted < .seconds(5), "a second, on a machine that compiles meanwhile")
        #expect(!Self.withdrawn(bench).contains(.withdrawn(channel, from: try user("ann"))))
    }

    @Test(arguments: [
        "delete from hub.member where user_id = 'bob'", "update hub.member set user_id = 'eve' where user_id = 'bob'",
    ])
    func eachWayToEndAMembershipIsTold(sql: String) async throws {
        let bench = try await bench()
        let channel = try await conversation(bench, "ann", "bob")
        let start = try await ask(bench, .start)
        #expect(Self.withdrawn(bench).isEmpty)
        _ = try bench.query(sql)
        let next = try await ask(bench, start)
        #expect(Self.withdrawn(bench) == [.withdrawn(channel, from: try user("bob"))])
        #expect(next.transaction > start.transaction)
    }

    @Test func anEmptiedTableAndAChangeThatLeavesTheKey() async throws {
        let bench = try await bench()
        _ = try await conversation(bench, "ann", "bob")
        _ = try bench.query("update hub.member set joined_at = now()")
        let next = try await ask(bench, .start)
        #expect(Self.withdrawn(bench).isEmpty)
        _ = try bench.query("truncate hub.member")
        _ = try await ask(bench, next)
        #expect(Self.withdrawn(bench).count == 2)
    }

    @Test func aMemberWhoCameBackIsNotTold() async throws {
        let bench = try await bench()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let channel = try await conversation(bench, "ann", "bob")
        _ = await bench.ask(.leave(bob, channel))
        #expect(Self.withdrawn(bench).count == 1, "told by the leave itself")
        _ = await bench.ask(.open(ann, with: bob, context: nil, most: 100))
        _ = try await ask(bench, .start)
        #expect(Self.withdrawn(bench).count == 1)
    }

    @Test func aTransactionThatCommitsLateIsTold() async throws {
        let bench = try await bench()
        let channel = try await conversation(bench, "ann", "bob")
        let other = try await conversation(bench, "cat", "dan")
        let late = try BlockingConnection(bench.address, applicationName: "tests")
        _ = try late.execute("begin")
        _ = try late.execute("delete from hub.member where user_id = 'bob'")
        _ = try bench.query("delete from hub.member where user_id = 'dan'")
        let between = try await ask(bench, .start)
        #expect(Self.withdrawn(bench) == [.withdrawn(other, from: try user("dan"))])
        _ = try late.execute("commit")
        _ = try await ask(bench, between)
        #expect(Self.withdrawn(bench).contains(.withdrawn(channel, from: try user("bob"))))
    }

    @Test func manyAreReadInPagesAndNoneIsLeftOut() async throws {
        let bench = try await bench()
        _ = try bench.query(
            """
            insert into hub.channel (name, kind) values ('broadcast:kind:many', 'broadcast');
            insert into hub.member (channel_id, user_id) select id, 'user ' || g from hub.channel, generate_series(1, 2500) g;
            delete from hub.member
            """)
        var position = WithdrawalPosition.start
        for isFull in [true, true, false] {
            position = try await ask(bench, position)
            #expect(position.isBetweenPages == isFull)
        }
        #expect(Set(Self.withdrawn(bench).map { "\($0)" }).count == 2_500)
        #expect(Self.withdrawn(bench).count == 2_500)
    }

    @Test func theWatchReadsAllPagesAtOnce() async throws {
        let bench = try await StoreBench { $0.withdrawalInterval = .milliseconds(50) }.ready()
        _ = try bench.query(
            """
            insert into hub.channel (name, kind) values ('broadcast:kind:many', 'broadcast');
            insert into hub.member (channel_id, user_id) select id, 'user ' || g from hub.channel, generate_series(1, 2500) g;
            delete from hub.member
            """)
        try await until { Set(Self.withdrawn(bench).map { "\($0)" }).count == 2_500 }
    }

    @Test func aDatabaseThatWentBackIsReadFromTheStart() async throws {
        let bench = try await bench()
        let channel = try await conversation(bench, "ann", "bob")
        _ = try bench.query("delete from hub.member where user_id = 'bob'")
        let beyond = Int64(1) << 40
        let next = try await ask(bench, WithdrawalPosition(transaction: beyond, id: 0, oldestOpen: beyond))
        #expect(Self.withdrawn(bench) == [.withdrawn(channel, from: try user("bob"))])
        #expect(next.transaction < beyond)
    }

    @Test func oldRowsAreRemovedByLaterOnes() async throws {
        let bench = try await bench()
        _ = try await conversation(bench, "ann", "bob")
        _ = try bench.query("delete from hub.member where user_id = 'bob'")
        _ = try bench.query("update hub.withdrawal set noted_at = now() - interval '61 minutes'")
        _ = try bench.query("delete from hub.member where user_id = 'ann'")
        #expect(try bench.cell("select string_agg(user_id, ' ') from hub.withdrawal") == "ann")
    }

    @Test func aRoleThatMayOnlyDeleteMembersIsEnough() async throws {
        let bench = try await bench()
        let channel = try await conversation(bench, "ann", "bob")
        _ = try bench.query(
            """
            do $$ begin create role remover; exception when duplicate_object then null; end $$;
            grant usage on schema hub to remover; grant select, delete on hub.member to remover;
            set role remover; delete from hub.member where user_id = 'bob'
            """)
        _ = try await ask(bench, .start)
        #expect(Self.withdrawn(bench) == [.withdrawn(channel, from: try user("bob"))])
    }
}

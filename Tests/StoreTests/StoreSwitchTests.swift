import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

@Suite("The table of switches", .timeLimit(.minutes(2)), .guarded) struct StoreSwitchTests {
    private final class Reporter: NodeReporter {
        let boards = Locked<[Switchboard]>([])
        func state() -> NodeState { NodeState() }
        func heard(_ news: NodeNews) {}
        func switched(_ board: Switchboard) { boards.withLock { $0.append(board) } }
        func answer(_ question: NodeQuestion, _ answer: @escaping @Sendable (String) -> Void) {}
        var last: Switchboard? { boards.withLock { $0.last } }
    }

    private func table(_ bench: StoreBench) -> SwitchTable { SwitchTable(bench.address, person: "op@host") }

    private func reading(_ bench: StoreBench) async throws -> Switchboard {
        guard case .switches(let board) = await bench.ask(.switches) else {
            Issue.record("no board")
            return Switchboard()
        }
        return board
    }

    @Test("what was switched is read as it was, and who, why and what is kept")
    func set() async throws {
        let bench = try await StoreBench().ready()
        let end = Timestamp(milliseconds: 32_503_680_000_000)
        let one = Switch(.userNotifications, for: .institution("lyon"), .slow(seconds: 30), until: end)
        try table(bench).set(one, why: "load")
        try table(bench).set(Switch(.realtime, for: .user(try user("ann")), .off), why: "spam")
        #expect(try await reading(bench) == Switchboard([one, Switch(.realtime, for: .user(try user("ann")), .off)]))
        let rows = try table(bench).read()
        #expect(rows.map(\.scope) == ["user:ann", "institution:lyon"])
        #expect(rows.last?.until == "3000-01-01T00:00:00Z" && rows.last?.seconds == 30 && rows.last?.why == "load")
        let audit = try bench.query(
            "select person, role = session_user, action, subject, why, detail ->> 'mode' from hub.audit order by id")
        #expect(
            audit == [
                ["op@host", "t", "switch off", "user-notifications for institution:lyon", "load", "slow"],
                ["op@host", "t", "switch off", "realtime for user:ann", "spam", "off"],
            ])
        try table(bench).set(Switch(.realtime, for: .user(try user("ann")), .off, until: .latest), why: "again")
        #expect(try await reading(bench).count == 2, "a second word about the same replaces the first")
    }

    @Test("hub on takes a switch away, or makes an exception from a wider one, which goes with it")
    func remove() async throws {
        let bench = try await StoreBench().ready()
        let staff = SwitchScope.category("STAFF")
        #expect(try table(bench).remove(.signals, for: .system, why: "w") == .none)
        try table(bench).set(Switch(.signals, for: .system, .off), why: "w")
        #expect(try table(bench).remove(.signals, for: staff, why: "w") == .excepted(from: "system"))
        #expect(try await reading(bench) == Switchboard([Switch(.signals, for: .system, .off), Switch(.signals, for: staff, .on)]))
        try table(bench).set(Switch(.presence, for: .system, .off), why: "w")
        #expect(try table(bench).remove(.signals, for: .system, why: "w") == .removed)
        #expect(try await reading(bench) == Switchboard([Switch(.presence, for: .system, .off)]))
        #expect(try bench.cell("select count(*) from hub.audit where action = 'switch on'") == "2")
    }

    @Test("a switch that has ended is not read, by the clock of the database, and its row goes with the next change")
    func ended() async throws {
        let bench = try await StoreBench().ready()
        try table(bench).set(Switch(.signals, for: .system, .off, until: .latest), why: "w")
        _ = try bench.query("update hub.switch set until = now() - interval '1 second'")
        #expect(try await reading(bench).isEmpty)
        #expect(try table(bench).read().isEmpty)
        #expect(try table(bench).remove(.presence, for: .system, why: "w") == .none)
        #expect(try bench.cell("select count(*) from hub.switch") == "0")
    }

    @Test("one too many is refused, whoever adds it")
    func full() async throws {
        let bench = try await StoreBench().ready()
        _ = try bench.query(
            """
            insert into hub.switch (feature, scope, mode, set_by, why)
            select 'signals', 'user:' || g, 'off', 's', 'w' from generate_series(1, 1000) g
            """)
        let error = #expect(throws: MigrationError.self) { try table(bench).set(Switch(.signals, for: .system, .off), why: "w") }
        #expect(error.map(SwitchTable.isFull) == true)
        #expect(try await reading(bench).count == 1_000)
        #expect(try bench.cell("select count(*) from hub.audit") == "0")
        try table(bench).set(Switch(.signals, for: .user(try user("7")), .off, until: .latest), why: "a change is no addition")
    }

    @Test("what this version does not understand is counted and has no effect")
    func unknown() async throws {
        let bench = try await StoreBench().ready()
        _ = try bench.query(
            """
            insert into hub.switch (feature, scope, mode, set_by, why)
            values ('e-mail', 'system', 'off', 's', 'w'), ('signals', 'x', 'off', 's', 'w')
            """)
        let board = try await reading(bench)
        #expect(board.isEmpty && board.unknown == 2)
    }

    @Test("the kind of a conversation is told to its members")
    func kinds() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, eve) = (try user("ann"), try user("bob"), try user("eve"))
        let plain = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        let about = try #require(await bench.ask(.open(ann, with: bob, context: "activity:7", most: 100)).opened).channel
        let name = "conversation:0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d"
        _ = try bench.query(
            """
            with c as (insert into hub.channel (name, kind) values ('\(name)', 'conversation') returning id)
            insert into hub.member (channel_id, user_id) select id, unnest('{ann,bob,cat,dan}'::text[]) from c
            """)
        let group = try #require(Channel(storedName: name))
        let replies = await bench.ask([
            .kind(of: plain, for: ann), .kind(of: about, for: bob), .kind(of: group, for: ann), .kind(of: about, for: eve),
            .kind(of: .broadcast("system"), for: ann),
        ])
        #expect(
            replies == [
                .kind(ConversationKind(isGroup: false, context: nil)), .kind(ConversationKind(isGroup: false, context: "activity:7")),
                .kind(ConversationKind(isGroup: true, context: nil)), .failed(.forbidden), .failed(.forbidden),
            ])
    }

    @Test("a change is passed on once, by the clock, and nothing when nothing is switched")
    func watching() async throws {
        let bench = try StoreBench { $0.withdrawalInterval = .milliseconds(20) }
        let reporter = Reporter()
        bench.store.use(reporter)
        try await until { bench.store.state == .up }
        try table(bench).set(Switch(.signals, for: .system, .off), why: "w")
        try await until { reporter.last?.count == 1 }
        #expect(bench.store.statistics.switches.value == 1)
        _ = try table(bench).remove(.signals, for: .system, why: "w")
        try await until { reporter.last?.isEmpty == true }
        #expect(reporter.boards.withLock { $0.count } == 2)
    }

    @Test("an operator who knocks does not wait for the clock")
    func knocking() async throws {
        let bench = try StoreBench {
            $0.isShared = true
            $0.nodeName = "n"
            $0.withdrawalInterval = .seconds(3_600)
        }
        let reporter = Reporter()
        bench.store.use(reporter)
        // The bell hears a moment after the lanes are up.
        let ears = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'"
        try await until { try bench.cell(ears) == "1" }
        try await until {
            if reporter.last?.count == 1 { return true }
            try table(bench).set(Switch(.signals, for: .system, .off), why: "w")
            return false
        }
    }

    @Test("a reader that comes late is told what holds")
    func lateReporter() async throws {
        let bench = try await StoreBench { $0.withdrawalInterval = .milliseconds(20) }.ready()
        try table(bench).set(Switch(.signals, for: .system, .off), why: "w")
        let reporter = Reporter()
        bench.store.use(reporter)
        try await until { reporter.last?.count == 1 }
    }

    @Test("while the table cannot be read, what was read last counts")
    func unreadable() async throws {
        let bench = try StoreBench { $0.withdrawalInterval = .milliseconds(20) }
        let reporter = Reporter()
        bench.store.use(reporter)
        try await until { bench.store.state == .up }
        try table(bench).set(Switch(.signals, for: .system, .off), why: "w")
        try await until { reporter.last?.count == 1 }
        let other = try BlockingConnection(bench.address, applicationName: "tests")
        try other.execute("begin; lock table hub.switch")
        try await until { bench.store.statistics.switchFailures.value > 0 }
        try other.execute("delete from hub.switch; commit")
        try await until { reporter.last?.isEmpty == true }
        #expect(reporter.boards.withLock { $0.count } == 2)
    }
}

import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

/// Lists of conversations, and how many a user may have.
@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreListingTests {
    private static let many = 20_000

    /// A user with very many conversations, the newest of them the one with the highest number.
    private func crowd() async throws -> StoreBench {
        let bench = try await StoreBench().ready()
        _ = try bench.query(
            """
            insert into hub.conversation (first, second) select 'ann', 'b' || g from generate_series(1, \(Self.many)) g;
            insert into hub.channel (name, kind, created_at)
            select 'conversation:' || id, 'conversation', timestamptz '2026-01-01' + substr(second, 2)::int * interval '1 second' from hub.conversation;
            insert into hub.member (channel_id, user_id, active_at)
            select c.id, u.name, c.created_at from hub.conversation v join hub.channel c on c.name = 'conversation:' || v.id
            cross join lateral (values (v.first), (v.second)) u (name)
            """)
        return bench
    }

    @Test func aListReadsNoMoreThanItShows() async throws {
        let bench = try await crowd()
        let connection = try BlockingConnection(bench.address, applicationName: "tests")
        for line in StatementListing.text.split(separator: "-- name: ") where line.hasPrefix("session\n") {
            _ = try connection.execute(String(line.dropFirst("session\n".count)))
        }
        _ = try connection.execute("prepare states as \(Statement.states.sql)")
        let before =
            try bench.cell(
                "select 'conversation:' || id from hub.conversation where second = 'b\(Self.many / 2)'") ?? ""
        for (only, from) in [("true", "null"), ("false", "null"), ("true", before)] {
            let plan = try connection.execute(
                "explain (analyze, timing off) execute states ('{}', '{}', '{}', '{}', '{1}', '{ann}', '{5}', '{\(only)}', '{\(from)}')"
            ).compactMap { $0[0] }
            let read = plan.compactMap { line -> Double? in
                guard line.contains("Scan using"), let rows = line.ranges(of: "actual rows=").last,
                    let loops = line.ranges(of: "loops=").last
                else { return nil }
                func number(_ range: Range<String.Index>) -> Double { Double(line[range.upperBound...].prefix { $0.isNumber }) ?? 0 }
                return number(rows) * number(loops)
            }
            #expect(read.count > 1 && read.reduce(0, +) < 100, "\(plan.joined(separator: "\n"))")
        }
    }

    @Test func theListFollowsTheNewestEntries() async throws {
        let bench = try await crowd()
        let ann = try user("ann")
        func listed(_ most: Int, before: Channel? = nil) async -> [Channel] {
            await bench.ask(.conversations(ann, before: before, most: most)).snapshot?.map(\.channel) ?? []
        }
        func talk(_ number: Int) async throws -> Channel {
            try #require(await bench.ask(.open(ann, with: try user("b\(number)"), context: nil, most: 9)).opened).channel
        }
        let (old, older, newest) = (try await talk(9), try await talk(5), try await talk(Self.many))
        #expect(await listed(1) == [newest], "finding a conversation is no activity")
        _ = await bench.ask(.append(draft(old, "1", sender: ann)))
        _ = await bench.ask(.append(draft(older, "1", sender: try user("b5"))))
        // Events may be about a conversation, too.
        _ = await bench.ask(.ingest([draft(old, "2")], []))
        #expect(await listed(3) == [old, older, newest])
        #expect(await listed(2, before: old) == [older, newest])
        // A duplicate is no activity.
        _ = await bench.ask(.append(draft(older, "1", sender: try user("b5"))))
        #expect(await listed(2) == [old, older])
        // Who comes back to a conversation finds it where its newest entry puts it.
        _ = await bench.ask(.leave(ann, older))
        #expect(await listed(2) == [old, newest])
        _ = try await talk(5)
        #expect(await listed(3) == [old, older, newest])
    }

    @Test func entriesOfABroadcastTouchNoMember() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(.ingest([draft(.broadcast("all"), "1")], []))
        _ = try bench.query("insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel")
        let row = try bench.cell("select xmin::text from hub.member")
        _ = await bench.ask(.ingest([draft(.broadcast("all"), "2")], []))
        #expect(try bench.cell("select xmin::text from hub.member") == row)
    }

    @Test func aUserWithTooManyConversationsOpensNoNewOnes() async throws {
        let bench = try await StoreBench().ready()
        let (eve, ann, bob) = (try user("eve"), try user("ann"), try user("bob"))
        func open(_ a: UserID, _ b: UserID) -> StoreRequest { .open(a, with: b, context: nil, most: 9, ofUser: 3) }
        let strangers = try (0..<5).map { try user("s\($0)") }
        let opened = await bench.ask(strangers.map { open(eve, $0) })
        #expect(opened.map { $0.opened != nil } == [true, true, true, false, false], "also within a batch")
        #expect(opened[3] == .failed(.tooManyConversations))
        #expect(await bench.ask(open(eve, ann)) == .failed(.tooManyConversations))
        #expect(await bench.ask(open(eve, strangers[1])).opened?.channel == opened[1].opened?.channel, "what is there is found")
        #expect(await bench.ask(open(ann, eve)).opened != nil, "others still reach the user")
        #expect(await bench.ask(open(ann, bob)).opened != nil)
        let left = try #require(opened[0].opened).channel
        _ = await bench.ask(.leave(eve, left))
        _ = await bench.ask(.leave(eve, try #require(opened[1].opened).channel))
        #expect(await bench.ask(open(eve, bob)).opened != nil, "whoever leaves some may open others")
    }

    @Test func theMigrationKnowsWhenConversationsWereActive() async throws {
        let address = try PostgresCluster.shared.get().makeDatabase()
        let connection = try BlockingConnection(address, applicationName: "tests")
        let number = Migration.all.first { $0.script.contains("member_active") }?.number ?? 0
        _ = try connection.execute("create schema hub")
        for migration in Migration.all.prefix(number - 1) { _ = try connection.execute(migration.script) }
        _ = try connection.execute(
            """
            insert into hub.channel (name, kind, last_seq, created_at) values
                ('conversation:a', 'conversation', 1, '2026-01-01'), ('conversation:b', 'conversation', 0, '2026-01-02'),
                ('broadcast:c', 'broadcast', 0, '2026-01-03');
            insert into hub.entry (channel_id, seq, source, source_id, kind, event_type, priority, form, content, created_at)
            select id, 1, 's', '1', 'message', 't', 'normal', 'full', '{}', '2026-02-01' from hub.channel where last_seq = 1;
            insert into hub.member (channel_id, user_id) select id, 'ann' from hub.channel
            """)
        _ = try connection.execute(Migration.all[number - 1].script)
        let times = try connection.execute("select date_trunc('day', active_at)::text from hub.member order by channel_id")
        #expect(times.map { $0[0]?.prefix(10) } == ["2026-02-01", "2026-01-02", "infinity"])
    }
}

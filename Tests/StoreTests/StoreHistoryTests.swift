import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

/// The database goes back to an earlier state, and the store finds out by itself.
@Suite(.timeLimit(.minutes(3)), .guarded) struct StoreHistoryTests {
    private static func restart(_ cluster: PostgresCluster, _ bench: StoreBench, meanwhile: () throws -> Void = {}) async throws {
        try cluster.stop("fast")
        try meanwhile()
        try cluster.start()
        try await until { bench.store.state == .up && bench.store.statistics.connectionsLost.value >= 3 }
    }

    private static func judgement(of history: History, on connection: BlockingConnection) throws -> String? {
        let seen = "{" + history.seen.map { $0.map { "\"\($0)\"" } ?? "null" }.joined(separator: ",") + "}"
        return try connection.execute(HistoryQueries.judge, [seen]).first?.last ?? nil
    }

    @Test("After a restore the epoch is another one, and requests with numbers of the earlier one are refused")
    func restore() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()).ready()
        let ann = try inbox("ann")
        #expect(await bench.ask(.ingest([draft(ann, "1"), draft(ann, "2")], [])).seqs == [1, 2])
        let before = try #require(bench.store.epoch)

        try await Self.restart(cluster, bench) { try cluster.backUp() }
        #expect(bench.store.epoch == before, "a restart changes nothing")
        #expect(await bench.ask(.ingest([3, 4, 5].map { draft(ann, "\($0)") }, [])).seqs == [3, 4, 5])

        try await Self.restart(cluster, bench) { try cluster.restore() }
        try await until { bench.store.epoch != before && bench.store.state == .up }
        let after = try #require(bench.store.epoch)
        #expect(bench.store.statistics.epochChanges.value == 1, "once, although three connections find out")
        #expect(try bench.query("select epoch from hub.epoch order by number").map { $0[0] } == [before.text, after.text])
        let user = try user("ann")
        #expect(await bench.ask(.move(user, ann, .delivered(Seq(2)), session: "s"), in: before) == .failed(.unavailable))
        #expect(await bench.ask(.ingest([draft(ann, "6"), draft(ann, "7")], [])).seqs == [3, 4], "an intake's order belongs to no epoch")
        #expect(await bench.ask(.move(user, ann, .delivered(Seq(2)), session: "s"), in: after).moved?.cursor.delivered == Seq(2))
    }

    @Test("A process that has stored nothing finds out, too, by the row it has left")
    func witness() async throws {
        let cluster = try PostgresCluster()
        let address = try cluster.makeDatabase()
        _ = try Migrator.migrate(address)
        try cluster.stop("fast")
        try cluster.backUp()
        try cluster.start()
        let bench = try await StoreBench(address).ready()
        let before = bench.store.epoch
        try await Self.restart(cluster, bench) { try cluster.restore() }
        try await until { bench.store.epoch != before && bench.store.state == .up }
        #expect(bench.store.statistics.epochChanges.value == 1)
    }

    @Test("The database is behind when the newest entry is missing or is another one, and not when retention has removed it")
    func judgement() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        #expect(await bench.ask(.ingest([draft(ann, "1"), draft(ann, "2")], [])).seqs == [1, 2])
        let epoch = try #require(bench.store.epoch)
        let connection = try BlockingConnection(bench.address, applicationName: "tests")
        func isBehind(_ seq: UInt64, _ id: String, in epoch: Epoch) throws -> String? {
            let history = History(random: 1)
            _ = history.found(epoch)
            history.committed([.entries([Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(ann, id))])])
            return try Self.judgement(of: history, on: connection)
        }
        #expect(try isBehind(2, "2", in: epoch) == "f")
        #expect(try isBehind(3, "3", in: epoch) == "t", "the head is lower")
        #expect(try isBehind(2, "other", in: epoch) == "t", "the number was given again")
        #expect(try isBehind(2, "2", in: Epoch(random: 99)) == "t", "the database does not know the epoch")
        try connection.execute("delete from hub.entry where seq = 2")
        #expect(try isBehind(2, "2", in: epoch) == "f", "removed, and its number is still taken")
    }

    @Test("After a restore that took back acknowledgements alone the epoch is another one")
    func acknowledgements() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()).ready()
        let (user, ann) = (try user("ann"), try inbox("ann"))
        #expect(await bench.ask(.ingest([draft(ann, "1"), draft(ann, "2")], [])).seqs == [1, 2])
        #expect(await bench.ask(.move(user, ann, .delivered(Seq(1)), session: "s")).moved?.cursor.delivered == Seq(1))
        let before = try #require(bench.store.epoch)
        try await Self.restart(cluster, bench) { try cluster.backUp() }
        #expect(await bench.ask(.move(user, ann, .delivered(Seq(2)), session: "s"), in: before).moved?.cursor.delivered == Seq(2))
        try await Self.restart(cluster, bench)
        #expect(bench.store.epoch == before, "a restart changes nothing")
        try await Self.restart(cluster, bench) { try cluster.restore() }
        try await until { bench.store.epoch != before && bench.store.state == .up }
        #expect(bench.store.statistics.epochChanges.value == 1)
    }

    @Test("The database is behind when the newest cursor's row is missing or older, and not when another hub has moved it")
    func judgementOfCursors() async throws {
        let bench = try await StoreBench().ready()
        let (user, bob, ann) = (try user("ann"), try user("bob"), try inbox("ann"))
        #expect(await bench.ask(.ingest([draft(ann, "1"), draft(ann, "2")], [])).seqs == [1, 2])
        _ = await bench.ask(.move(user, ann, .delivered(Seq(1)), session: "s"))
        let moved = try #require(await bench.ask(.move(user, ann, .delivered(Seq(2)), session: "s")).moved)
        let epoch = try #require(bench.store.epoch)
        let connection = try BlockingConnection(bench.address, applicationName: "tests")
        func isBehind(_ version: UInt64, of user: UserID) throws -> String? {
            let history = History(random: 1)
            _ = history.found(epoch)
            var state = moved
            state.cursorVersion = version
            history.committed([.moved(MovedCursor(user, state, isProgress: true, session: "s"))])
            return try Self.judgement(of: history, on: connection)
        }
        #expect(moved.cursorVersion == 2)
        #expect(try isBehind(2, of: user) == "f")
        #expect(try isBehind(1, of: user) == "f", "another hub has moved it since")
        #expect(try isBehind(3, of: user) == "t", "the last move is missing")
        #expect(try isBehind(1, of: bob) == "t", "the row is missing")
    }

    @Test(
        "Whatever follows a move (leave, removal of old entries, expiry, replacement, a deleted message), no version falls and no row goes")
    func versionsOnlyGrow() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob, inbox) = (try user("ann"), try user("bob"), try inbox("ann"))
        guard case .opened(let opened, created: true) = await bench.ask(.open(ann, with: bob, context: nil, most: 100)) else {
            Issue.record("no conversation")
            return
        }
        let (talk, past) = (opened.channel, Timestamp(milliseconds: WallClock.now() - 1_000))
        let connection = try BlockingConnection(bench.address, applicationName: "tests")
        let history = History(random: 1)
        _ = history.found(try #require(bench.store.epoch))
        func move(_ channel: Channel, _ change: CursorChange) async throws {
            let reply = await bench.ask(.move(ann, channel, change, session: "s"))
            guard case .moved(let cursor, changed: true) = reply else {
                Issue.record("\(reply)")
                return
            }
            history.committed([.moved(cursor)])
            #expect(try Self.judgement(of: history, on: connection) == "f", "\(change)")
        }
        func holds(_ comment: Comment) throws { #expect(try Self.judgement(of: history, on: connection) == "f", comment) }

        _ = await bench.ask(.ingest((1...6).map { draft(inbox, "\($0)", expiresAt: $0 == 2 ? past : nil) }, []))
        try await move(inbox, .delivered(Seq(2)))
        _ = try bench.query("update hub.entry set expires_at = now() - interval '1 s' where seq in (3, 4)")
        _ = try bench.query("update hub.cursor set recount_at = now() - interval '1 s'")
        try await move(inbox, .seen(Seq(5)))
        try await move(inbox, .read(.upTo(Seq(5))))
        try await move(inbox, .unread([Seq(5)]))
        _ = try bench.query("delete from hub.entry where seq <= 3")
        _ = try bench.query(
            "update hub.channel set first_seq = 4, recount_from = now() + interval '10 s' where name = '\(inbox.storedName)'")
        try holds("removed and replaced entries")
        try await move(inbox, .delivered(Seq(6)))
        _ = await bench.ask(.append(draft(talk, "1", sender: bob)))
        try await move(talk, .read(.upTo(Seq(1))))
        #expect(await bench.ask(.leave(ann, talk)).state != nil)
        try holds("the user has left")
    }

    @Test("What the intake finds begins one epoch, however many processes find it and however often")
    func toldBehind() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()).ready()
        let other = try await StoreBench(bench.address).ready()
        let before = try #require(bench.store.epoch)
        bench.store.noteDatabaseIsBehind()
        try await until { bench.store.epoch != before && bench.store.state == .up }
        let now = try #require(bench.store.epoch)
        #expect(try bench.cell("select follows from hub.epoch where epoch = '\(now.text)'") == before.text)
        for store in [bench.store, other.store] {
            let connections = store.connectionsMade
            store.noteDatabaseIsBehind()
            if store === other.store { try await until { store.connectionsMade > connections && store.state == .up } }
        }
        try await until { other.store.epoch == now }
        #expect(bench.store.epoch == now)
        #expect(try bench.cell("select count(*) from hub.epoch") == "2")
        #expect(bench.store.statistics.epochChanges.value == 1)
    }

    @Test("An epoch that an operator begins is taken over at the next connection")
    func byHand() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()).ready()
        let before = bench.store.epoch
        let new = try #require(Epoch(try Restoration.note(bench.address)))
        try await until { bench.store.epoch == new && bench.store.state == .up }
        #expect(before != new && bench.store.statistics.epochChanges.value == 1)
    }
}

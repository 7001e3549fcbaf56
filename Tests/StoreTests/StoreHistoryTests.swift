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
            history.stored([Entry(seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(ann, id))])
            let seen = "{" + history.seen.map { $0.map { "\"\($0)\"" } ?? "null" }.joined(separator: ",") + "}"
            return try connection.execute(HistoryQueries.judge, [seen]).first?.last ?? nil
        }
        #expect(try isBehind(2, "2", in: epoch) == "f")
        #expect(try isBehind(3, "3", in: epoch) == "t", "the head is lower")
        #expect(try isBehind(2, "other", in: epoch) == "t", "the number was given again")
        #expect(try isBehind(2, "2", in: Epoch(random: 99)) == "t", "the database does not know the epoch")
        try connection.execute("delete from hub.entry where seq = 2")
        #expect(try isBehind(2, "2", in: epoch) == "f", "removed, and its number is still taken")
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

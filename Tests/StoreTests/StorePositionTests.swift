import HangGuard
import Messaging
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StorePositionTests {
    private func position(
        _ partition: Int32, _ offset: Int64, after: Int64? = nil, topic: String = "t", group: String = "hub"
    ) -> IngestPosition {
        IngestPosition(group: group, topic: topic, partition: partition, offset: offset, after: after)
    }

    @Test func positionsAreReadForEachRequest() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(.ingest([], [position(0, 5), position(1, 0), position(0, 7, topic: "u")]))
        func partition(_ number: Int32, of topic: String = "t") -> IngestPartition {
            IngestPartition(group: "hub", topic: topic, number: number)
        }
        let replies = await bench.ask([
            .positions([partition(0), partition(2)]), .positions([]), .positions([partition(0, of: "u"), partition(1)]),
        ])
        #expect(replies == [.positions([position(0, 5)]), .positions([]), .positions([position(0, 7, topic: "u"), position(1, 0)])])
    }

    @Test func recordsAreStoredOnlyAfterThoseBeforeThem() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        // Nothing is known of the partition: only a request that requires nothing is carried out.
        #expect(await bench.ask(.ingest([draft(ann, "1")], [position(0, 1, after: 0)])) == .behind([]))
        #expect(await bench.ask(.ingest([draft(ann, "0")], [position(0, 0, after: -1)])).seqs == [1])
        #expect(await bench.ask(.ingest([draft(ann, "1")], [position(0, 1, after: 0)])).seqs == [2])
        #expect(await bench.ask(.ingest([draft(ann, "9")], [position(0, 9, after: 2)])) == .behind([position(0, 1)]))
        // One partition that lags holds up the others, whose records are submitted again.
        let both = [position(0, 9, after: 8), position(1, 4)]
        #expect(await bench.ask(.ingest([draft(ann, "8"), draft(ann, "9")], both)) == .behind([position(0, 1)]))
        #expect(await bench.ask(.ingest([], [position(0, 9, after: 8)])) == .behind([position(0, 1)]))
        #expect(try bench.entries(ann) == ["1:0", "2:1"])
        #expect(try bench.query("select partition, position from hub.intake_position") == [["0", "1"]])
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:ann/2"])
    }

    @Test func aDatabaseThatIsFurtherOrStartsOverIsNotBehind() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        _ = await bench.ask(.ingest([], [position(0, 900)]))
        #expect(await bench.ask(.ingest([draft(ann, "5")], [position(0, 5, after: 4)])).seqs == [1])
        #expect(await bench.ask(.ingest([draft(ann, "6")], [position(0, 6, after: 5)])).seqs == [2])
        #expect(try bench.cell("select position from hub.intake_position") == "6")
    }

    @Test func groupsDoNotMoveEachOthersPositions() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        #expect(await bench.ask(.ingest([draft(ann, "9")], [position(0, 9)])).seqs == [1])
        // A group that began later, and reads the same records from the start.
        #expect(await bench.ask(.ingest([draft(ann, "0")], [position(0, 0, after: -1, group: "late")])).seqs == [2])
        #expect(await bench.ask(.ingest([draft(ann, "10")], [position(0, 10, after: 9)])).seqs == [3])
        let ahead = [position(0, 2, after: 1, group: "late")]
        #expect(await bench.ask(.ingest([draft(ann, "2")], ahead)) == .behind([position(0, 0, group: "late")]))
        let asked = ["hub", "late", "new"].map { IngestPartition(group: $0, topic: "t", number: 0) }
        #expect(await bench.ask(.positions(asked)) == .positions([position(0, 10), position(0, 0, group: "late")]))
    }

    @Test func aGroupWithoutAPositionHasThatOfThePreviousTable() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        _ = try bench.query("insert into hub.ingest_position (topic, partition, position, updated_at) values ('t', 0, 41, now())")
        #expect(await bench.ask(.positions([IngestPartition(group: "hub", topic: "t", number: 0)])) == .positions([position(0, 41)]))
        #expect(await bench.ask(.ingest([draft(ann, "43")], [position(0, 43, after: 42)])) == .behind([position(0, 41)]))
        #expect(await bench.ask(.ingest([draft(ann, "42")], [position(0, 42, after: 41)])).seqs == [1])
        #expect(try bench.query("select consumer_group, position from hub.intake_position") == [["hub", "42"]])
    }

    @Test func messagesInTheSameBatchAreStored() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let talk = try #require(await bench.ask(.open(ann, with: try user("bob"), context: nil, most: 100)).opened).channel
        let replies = await bench.ask([
            .ingest([draft(.inbox(ann), "9")], [position(0, 9, after: 8)]), .append(draft(talk, "m", sender: ann)),
        ])
        #expect(replies[0] == .behind([]))
        #expect(replies[1].seqs == [1])
        #expect(try bench.entries(.inbox(ann)).isEmpty)
    }

    @Test func eachConnectionIsCounted() async throws {
        let bench = try await StoreBench().ready()
        let before = bench.store.connectionsMade
        #expect(before == 3)
        _ = try bench.query(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'hub reads' and datname = current_database()
            """)
        try await until { bench.store.connectionsMade == before + 1 }
    }
}

/// A hub that was frozen and has lost its partitions writes nothing when it wakes.
@Suite(.timeLimit(.minutes(2)), .guarded) struct PositionOwnerTests {
    private func position(_ offset: Int64, after: Int64?, takesOver: Bool = false) -> IngestPosition {
        var position = IngestPosition(group: "hub", topic: "t", partition: 0, offset: offset, after: after)
        position.takesOver = takesOver
        return position
    }

    @Test func aPartitionBelongsToTheHubThatTookItOver() async throws {
        let frozen = try await StoreBench { $0.isShared = true }.ready()
        let heir = try await StoreBench(frozen.address) { $0.isShared = true }.ready()
        let ann = try inbox("ann")
        #expect(await frozen.ask(.ingest([draft(ann, "0")], [position(0, after: nil, takesOver: true)])).seqs == [1])
        #expect(await frozen.ask(.ingest([draft(ann, "1")], [position(1, after: 0)])).seqs == [2])
        #expect(await heir.ask(.ingest([draft(ann, "2")], [position(2, after: 1)])) == .behind([position(1, after: nil)]))
        #expect(await heir.ask(.ingest([draft(ann, "2")], [position(2, after: 1, takesOver: true)])).seqs == [3])
        #expect(await heir.ask(.ingest([draft(ann, "3")], [position(3, after: 2)])).seqs == [4])
        // The other one goes on where it was frozen.
        #expect(await frozen.ask(.ingest([draft(ann, "stale")], [position(2, after: 1)])) == .behind([position(3, after: nil)]))
        #expect(try frozen.entries(ann) == ["1:0", "2:1", "3:2", "4:3"])
    }

    @Test func aHubThatIsAloneOwnsNothing() async throws {
        let bench = try await StoreBench().ready()
        #expect(await bench.ask(.ingest([], [position(0, after: nil)])) == .stored([]))
        #expect(await bench.ask(.ingest([], [position(1, after: 0)])) == .stored([]))
        #expect(try bench.cell("select owner from hub.intake_position") == nil)
    }
}

import HangGuard
import Linux
import Testing

@testable import Kafka

/// Reading a range once, beside whoever else reads the topic.
@Suite(.timeLimit(.minutes(2)), .guarded) struct RangeReaderTests {
    private func cluster(_ values: [String]) throws -> MockCluster {
        let cluster = try MockCluster()
        try cluster.createTopic("events", partitions: 2)
        if !values.isEmpty { try cluster.write(values, to: 0) }
        return cluster
    }

    private let partitions = [TopicPartition("events", 0), TopicPartition("events", 1)]

    private func reader(_ brokers: String) throws -> RangeReader {
        try RangeReader(brokers: brokers, group: "hub", properties: ClientProperties(), within: .seconds(20))
    }

    private func read(_ reader: RangeReader, _ from: RangeBound, _ to: RangeBound, most: Int = .max) throws -> [Int64] {
        var found: [Int64] = []
        try reader.read(reader.ranges(of: partitions, from: from, to: to)) { record in
            found.append(record.offset)
            return found.count < most
        }
        return found
    }

    @Test func `A range by offsets is read as often as it is asked for`() async throws {
        let cluster = try cluster(["a", "b", "c", "d"])
        let brokers = cluster.brokers
        try await onOwnThread { [self] in
            let reader = try reader(brokers)
            #expect(try read(reader, .beginning, .end) == [0, 1, 2, 3])
            #expect(try read(reader, .offset(1), .offset(3)) == [1, 2])
            #expect(try read(reader, .offset(3), .end) == [3])
            #expect(try read(reader, .beginning, .end, most: 2) == [0, 1])
            #expect(try read(reader, .beginning, .end) == [0, 1, 2, 3])
            #expect(try read(reader, .offset(9), .end) == [])
            let ranges = try reader.ranges(of: partitions, from: .offset(1), to: .offset(99))
            #expect(ranges[0] == PartitionRange(partitions[0], kept: 0..<4, range: 1..<4))
            #expect(ranges[1].kept.isEmpty && ranges[1].range.isEmpty)
        }
    }

    @Test func `A time after the last record gives nothing, and one before it what the broker can tell`() async throws {
        let cluster = try cluster(["a", "b"])
        let brokers = cluster.brokers
        try await onOwnThread { [self] in
            let reader = try reader(brokers)
            #expect(try read(reader, .time(WallClock.now() + 3_600_000), .end) == [])
            // The mock cluster does not search by time: the whole partition is read.
            #expect(try read(reader, .time(WallClock.now() - 3_600_000), .end) == [0, 1])
        }
    }

    @Test func `Brokers that are silent, and a partition that is not there, end the reading`() async throws {
        let cluster = try cluster(["a"])
        let brokers = cluster.brokers
        try cluster.takeDown()
        try await onOwnThread { [self] in
            let reader = try RangeReader(brokers: brokers, group: "hub", properties: ClientProperties(), within: .seconds(1))
            #expect(throws: KafkaError.self) { try reader.ranges(of: partitions, from: .beginning, to: .end) }
            #expect(throws: KafkaError.self) {
                try reader.read([PartitionRange(partitions[0], kept: 0..<1, range: 0..<1)]) { _ in true }
            }
        }
    }
}

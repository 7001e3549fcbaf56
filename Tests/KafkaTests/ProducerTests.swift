import HangGuard
import Testing

@testable import Kafka

@Suite(.guarded) struct ProducerTests {
    @Test func `Keys, values and headers come back as written, null distinguished from empty`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            let written = [
                OutgoingRecord(
                    topic: "events", key: [1, 0, 2], value: [0, 255],
                    headers: [RecordHeader("a", "1"), RecordHeader("a", nil), RecordHeader("", [])]),
                OutgoingRecord(topic: "events", key: nil, value: nil),
                OutgoingRecord(topic: "events", key: [], value: []),
                OutgoingRecord(topic: "events", key: [7], value: nil, headers: [RecordHeader("h", [0, 1])]),
            ]
            try cluster.write(written)
            let reader = try Reader(cluster.configuration())
            try reader.read("four records") { $0.records.count == 4 }
            let read = reader.records.map { OutgoingRecord(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers) }
            #expect(read == written)
            #expect(reader.records.map(\.offset) == [0, 1, 2, 3])
            #expect(reader.records.allSatisfy { ($0.timestamp ?? 0) > 1_600_000_000_000 })
        }
    }

    @Test func `Every record taken is reported once, with its token and place`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 3)
            let producer = try Producer(ProducerConfiguration(brokers: cluster.brokers))
            for i in 0..<300 {
                try producer.produce(OutgoingRecord(topic: "events", partition: Int32(i % 3), value: [1]), token: UInt64(i) + 1)
            }
            var reports: [DeliveryReport] = []
            let deadline = ContinuousClock.now + .seconds(20)
            while reports.count < 300, try awaitReadable([producer.descriptor], until: deadline) { reports += producer.poll().reports }
            #expect(Set(reports.map(\.token)) == Set(1...300))
            #expect(reports.count == 300)
            for report in reports {
                guard case .written(let place, let offset) = report.outcome else {
                    Issue.record("\(report)")
                    continue
                }
                #expect(place == TopicPartition("events", Int32((report.token - 1) % 3)))
                #expect(offset == Int64(report.token - 1) / 3)
            }
            #expect(producer.queuedRecords == 0)
        }
    }

    @Test func `A retried batch is written once`() async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            cluster.fail(.produce, with: [.notLeader, .coordinatorNotAvailable, .notLeader])
            try cluster.write((0..<50).map(String.init), to: 0)
            let reader = try Reader(cluster.configuration())
            try reader.read("fifty records") { $0.records.count >= 50 }
            #expect(reader.texts(of: 0) == (0..<50).map(String.init))
        }
    }

    @Test func `A full queue refuses the next record and keeps what it has`() throws {
        var configuration = ProducerConfiguration(brokers: "127.0.0.1:1")
        configuration.queueRecords = 3
        configuration.deliveryTimeout = .milliseconds(300)
        let producer = try Producer(configuration)
        for token in 0..<3 { try producer.produce(OutgoingRecord(topic: "events", value: [1]), token: UInt64(token)) }
        let refusal = #expect(throws: KafkaError.self) { try producer.produce(OutgoingRecord(topic: "events", value: [1])) }
        #expect(refusal?.kind == .queueFull)
        #expect(producer.queuedRecords == 3)
    }

    @Test func `Without a broker a record is reported as failed when its time is over`() async throws {
        try await onOwnThread {
            var configuration = ProducerConfiguration(brokers: "127.0.0.1:1")
            configuration.deliveryTimeout = .milliseconds(200)
            let producer = try Producer(configuration)
            let failure = #expect(throws: KafkaError.self) {
                try producer.write([OutgoingRecord(topic: "events", value: [1])], within: .seconds(20))
            }
            #expect(failure?.kind == .unreachable)
        }
    }

    @Test func `A flush ends at its deadline`() async throws {
        try await onOwnThread {
            let producer = try Producer(ProducerConfiguration(brokers: "127.0.0.1:1"))
            try producer.produce(OutgoingRecord(topic: "events", value: [1]))
            #expect(producer.flush(within: .milliseconds(50)).reports.isEmpty)
            #expect(producer.queuedRecords == 1)
        }
    }

    @Test(arguments: [
        (MockCluster.Fault.messageTooLarge, KafkaError.Kind.recordTooLarge), (.topicAuthorizationFailed, .unauthorized),
    ])
    func `The broker's refusal is told by its kind`(fault: MockCluster.Fault, kind: KafkaError.Kind) async throws {
        try await onOwnThread {
            let cluster = try MockCluster()
            try cluster.createTopic("events", partitions: 1)
            cluster.fail(.produce, with: [fault])
            let failure = #expect(throws: KafkaError.self) { try cluster.write(["x"], to: 0) }
            #expect(failure?.kind == kind)
        }
    }

    @Test func `A record over the client's own limit is refused at once`() throws {
        let producer = try Producer(ProducerConfiguration(brokers: "127.0.0.1:1"))
        let refusal = #expect(throws: KafkaError.self) {
            try producer.produce(OutgoingRecord(topic: "events", value: [UInt8](repeating: 0, count: 2_000_000)))
        }
        #expect(refusal?.kind == .recordTooLarge)
        #expect(producer.queuedRecords == 0)
    }
}

import Configuration
import HangGuard
import Kafka
import Testing

@testable import HubClient

/// What commands say when nobody listens at the brokers' address.
@Suite("Commands without Kafka", .guarded) struct KafkaAwayTests {
    /// An address where a broker was.
    private func deserted() throws -> Configuration.Kafka {
        let cluster = try MockCluster()
        try cluster.takeDown()
        var kafka = Configuration.Kafka()
        kafka.brokers = [cluster.brokers]
        return kafka
    }

    @Test("publish names the address, the source of the address and the reason, before its time is over")
    func publish() throws {
        let kafka = try deserted()
        let event = EventDraft(id: "1", type: "t", recipients: ["user:alice"], title: "Hi")
        let start = ContinuousClock.now
        let failure = try #require(
            #expect(throws: CommandFailure.self) {
                try EventPublication(kafka, from: .variable("HUB_KAFKA_BROKERS")).publish(event, within: .seconds(60))
            })
        #expect(ContinuousClock.now - start < .seconds(30))
        #expect(failure.kind == .unavailable)
        let line = failure.lines.joined()
        #expect(line.contains(kafka.brokers[0]) && line.contains("Connection refused"))
        #expect(line.contains("(HUB_KAFKA_BROKERS)") && line.contains("source its embedded.env (.hub/embedded.env) again"))
        let other = #expect(throws: CommandFailure.self) {
            try EventPublication(kafka, from: .file(path: "hub.yaml", line: 3)).publish(event, within: .seconds(1))
        }
        #expect(other?.lines.joined().contains("embedded.env") == false)
    }

    @Test("check gives the reason once, and asks nothing else of the cluster")
    func check() throws {
        var configuration = Configuration()
        configuration.kafka = try deserted()
        let start = ContinuousClock.now
        let findings = DependencyCheck(configuration).run().filter { !$0.line.hasPrefix("database") && !$0.line.hasPrefix("keys") }
        #expect(ContinuousClock.now - start < .seconds(12))
        #expect(findings.count == 1)
        #expect(findings.first?.grade == .bad)
        #expect(findings.first?.line.contains("Connection refused") == true)
    }

    @Test("check finds no fault with a cluster whose topics may be read")
    func healthy() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("hub.events", partitions: 3)
        try cluster.createTopic("hub.events.dlq", partitions: 1)
        var configuration = Configuration()
        configuration.kafka.brokers = [cluster.brokers]
        let findings = DependencyCheck(configuration).run().filter { $0.line.hasPrefix("kafka") || $0.line.hasPrefix("dead") }
        #expect(findings.map(\.grade) == [.good, .good], "\(findings)")
    }

    @Test("check fails when the right to read is missing")
    func refused() throws {
        let cluster = try MockCluster()
        try cluster.createTopic("hub.events", partitions: 1)
        try cluster.createTopic("hub.events.dlq", partitions: 1)
        cluster.fail(.fetch, with: Array(repeating: .topicAuthorizationFailed, count: 50))
        var configuration = Configuration()
        configuration.kafka.brokers = [cluster.brokers]
        let refusals = DependencyCheck(configuration).run().filter { $0.line.hasPrefix("kafka: no right to read: topic hub.events") }
        #expect(refusals.map(\.grade) == [.bad])
    }
}

import HangGuard
import Testing

@testable import Kafka

@Suite(.guarded) struct ClientPropertiesTests {
    @Test(arguments: [
        ("no.such.property", "1"), ("fetch.wait.max.ms", "soon"), ("security.protocol", "carrier-pigeon"),
        ("enable.auto.commit", "true"), ("partition.assignment.strategy", "range"), ("acks", "1"), ("group.id", "other"),
        ("auto.offset.reset", "latest"), ("isolation.level", "read_uncommitted"),
    ])
    func `A property that is unknown, impossible or the hub's own is refused by name`(name: String, value: String) throws {
        var properties = ClientProperties()
        properties.set("socket.timeout.ms", "5000")
        properties.set(name, value)
        let failure = try #require(#expect(throws: KafkaError.self) { try properties.validate() })
        #expect(failure.kind == .property(name))
        var consumer = ConsumerConfiguration(brokers: "127.0.0.1:1", group: "g", topics: ["t"])
        consumer.properties = properties
        #expect(throws: failure) { try Consumer(consumer) }
        var producer = ProducerConfiguration(brokers: "127.0.0.1:1")
        producer.properties = properties
        #expect(throws: failure) { try Producer(producer) }
    }

    @Test func `Properties for secured brokers are taken`() throws {
        try ClientProperties([
            ("security.protocol", "sasl_ssl"), ("sasl.mechanisms", "SCRAM-SHA-512"), ("sasl.username", "hub"), ("sasl.password", "secret"),
            ("ssl.ca.location", "/etc/ssl/certs/ca-certificates.crt"), ("queue.buffering.max.ms", "1"),
            ("isolation.level", "read_committed"),
        ]).validate()
    }

    @Test(arguments: [
        (Duration.zero, 0), (.milliseconds(1), 1), (.seconds(1.5), 1_500), (.microseconds(999), 0), (.seconds(-1), 0),
        (.seconds(Int64.max / 2), Int(Int32.max)), (.seconds(-Int64.max / 2), 0),
    ])
    func `Durations become whole milliseconds without overflow`(duration: Duration, milliseconds: Int) {
        #expect(duration.wholeMilliseconds == Int32(milliseconds))
    }
}

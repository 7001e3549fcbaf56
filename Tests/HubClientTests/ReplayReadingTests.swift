import Configuration
import HangGuard
import Kafka
import Rules
import Testing

@testable import HubClient

/// Reading on, until the events are sent.
@Suite("hub rules replay: reading", .timeLimit(.minutes(2)), .guarded)
struct ReplayReadingTests {
    private static let rules = """
        version: 1
        rules: [{ name: asked, table: app.review, when: 'after.status == "open"', to: "user:{reviewer}", type: t, title: "{title}" }]
        """

    private func change(_ operation: String, _ status: String, _ lsn: Int, id: Int = 7) -> OutgoingRecord {
        let row = #"{"id":\#(id),"status":"\#(status)","reviewer":"ann","title":"x"}"#
        let rows = operation == "d" ? #""before":\#(row),"after":null"# : #""before":null,"after":\#(row)"#
        let value =
            #"{\#(rows),"op":"\#(operation)","source":{"db":"platform","schema":"app","table":"review","lsn":\#(lsn),"txId":5,"ts_ms":1764500000000}}"#
        return OutgoingRecord(topic: "changes", partition: 0, key: Array(#"{"id":\#(id)}"#.utf8), value: Array(value.utf8))
    }

    @Test("what comes after the first reading still ends an event, and the limit counts all records")
    func onAndOn() async throws {
        let cluster = try MockCluster()
        try cluster.createTopic("changes", partitions: 1)
        let producer = try Producer(ProducerConfiguration(brokers: cluster.brokers))
        try producer.write([change("c", "open", 8), change("c", "open", 16, id: 8)], within: .seconds(20))
        var configuration = Configuration()
        configuration.kafka.brokers = [cluster.brokers]
        let range = try ChangeRange(configuration, topics: ["changes"], from: "beginning", to: "end", within: .seconds(20))
        let reader = try range.reader(within: .seconds(20))
        let plan = try range.plan(reader)
        var reading = ReplayReading(
            plan, range, reader, rules: try RuleSet(parsing: Self.rules), rule: "asked", mostRecords: 4)
        try reading.readOn()
        #expect((reading.inRange, reading.after, reading.replay.events.count) == (2, 0, 2))
        try reading.readOn()
        #expect(reading.inRange == 2, "nothing has come")
        try producer.write([change("d", "open", 24), change("c", "open", 32, id: 9)], within: .seconds(20))
        try reading.readOn()
        #expect((reading.after, reading.replay.ended) == (2, 1))
        #expect(reading.replay.events.map(\.row) == [#"platform/app.review/{"id":8}"#], "a new row is none of the range")
        try producer.write([change("d", "open", 40, id: 8)], within: .seconds(20))
        #expect { try reading.readOn() } throws: { ($0 as? CommandFailure)?.lines.first?.contains("--limit 4") == true }
    }
}

package import Configuration
import JSON
import Kafka
import Linux
import Messaging

/// `hub publish`: writes one event to Kafka, as a platform service does.
package struct EventPublication: Sendable {
    private let brokers: String
    package let topic: String
    private let properties: [NamedValue]

    /// Publishes to the first configured topic that is a name and not a pattern.
    package init(_ kafka: Configuration.Kafka) throws(CommandFailure) {
        guard let topic = kafka.topics.first(where: { !$0.hasPrefix("^") }) else {
            throw CommandFailure(
                .usage,
                "kafka.topics (\(kafka.topics.joined(separator: ","))) names no topic, only patterns: name one, as in --set kafka.topics=hub.events"
            )
        }
        self.topic = topic
        brokers = kafka.brokers.joined(separator: ",")
        properties = kafka.properties
    }

    /// A new random event id.
    package static func makeID() throws(CommandFailure) -> String {
        do throws(SystemError) {
            return UUIDText.make(try Random.bytes(16))
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }

    /// Writes the event and waits for the broker. The hub's decoder checks the event first, so that an invalid one is not sent.
    /// - Returns: a JSON object with id, topic, partition and offset.
    package func publish(_ event: EventDraft, within limit: Duration) throws(CommandFailure) -> String {
        let value = Array(event.json.utf8)
        let record = EventRecord(topic: topic, partition: 0, offset: 0, timestamp: nil, key: nil, value: value, headers: [])
        switch EventDecoder().decode(record) {
        case .entries, .discard: break
        case .rejected(let rejection), .partly(_, let rejection): throw CommandFailure(.usage, rejection.detail)
        }
        do throws(KafkaError) {
            var configuration = ProducerConfiguration(brokers: brokers)
            configuration.deliveryTimeout = limit
            for property in properties { configuration.properties.set(property.name, property.value) }
            let producer = try Producer(configuration)
            try producer.produce(OutgoingRecord(topic: topic, key: Array(event.key.utf8), value: value, headers: []))
            switch producer.flush(within: limit).reports.first?.outcome {
            case .written(let target, let offset):
                let result: JSONValue = [
                    "id": .string(event.id), "topic": .string(target.topic), "partition": .number(JSONNumber(Int64(target.partition))),
                    "offset": .number(JSONNumber(offset)),
                ]
                return result.text
            case .failed(let failure): throw failure
            case nil:
                throw KafkaError(
                    kind: .unreachable, name: "_TIMED_OUT", message: "no broker acknowledged the event within \(limit.quantity)")
            }
        } catch {
            throw CommandFailure(.unavailable, "Kafka at \(brokers): \(error.message)")
        }
    }
}

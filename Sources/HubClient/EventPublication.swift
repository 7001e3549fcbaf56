package import Configuration
import JSON
import Kafka
import Linux
import Messaging

/// `hub publish`: writes one event to Kafka, as a platform service does.
package struct EventPublication: Sendable {
    private let brokers: String
    /// For the message when nobody answers there: the source of the address.
    private let origin: EffectiveConfiguration.Origin
    package let topic: String
    private let properties: [NamedValue]

    /// Publishes to the first configured topic that is a name and not a pattern.
    /// - Parameter origin: where the address of the brokers comes from.
    package init(_ kafka: Configuration.Kafka, from origin: EffectiveConfiguration.Origin) throws(CommandFailure) {
        guard let topic = kafka.topics.first(where: { !$0.hasPrefix("^") }) else {
            throw CommandFailure(
                .usage,
                "kafka.topics (\(kafka.topics.joined(separator: ","))) names no topic, only patterns: name one, as in --set kafka.topics=hub.events"
            )
        }
        self.topic = topic
        self.origin = origin
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
        case .entries, .discard, .retracting(_, _, nil): break
        case .rejected(let rejection), .partly(_, let rejection), .retracting(_, _, let rejection?):
            throw CommandFailure(.usage, rejection.detail)
        }
        do throws(KafkaError) {
            var configuration = ProducerConfiguration(brokers: brokers)
            configuration.deliveryTimeout = limit
            for property in properties { configuration.properties.set(property.name, property.value) }
            let producer = try Producer(configuration)
            try producer.produce(OutgoingRecord(topic: topic, key: Array(event.key.utf8), value: value, headers: []))
            switch try outcome(of: producer, within: limit) {
            case .written(let target, let offset):
                let result: JSONValue = [
                    "id": .string(event.id), "topic": .string(target.topic), "partition": .number(JSONNumber(Int64(target.partition))),
                    "offset": .number(JSONNumber(offset)),
                ]
                return result.text
            case .failed(let failure): throw failure
            }
        } catch {
            throw CommandFailure(.unavailable, "Kafka at \(brokers) (\(origin)): \(error.message)\(advice)")
        }
    }

    /// Ends before `limit` when no broker can be reached.
    private func outcome(of producer: Producer, within limit: Duration) throws(KafkaError) -> DeliveryReport.Outcome {
        var unreachability = Unreachability(within: limit)
        repeat {
            let poll = producer.flush(within: max(.milliseconds(10), min(.milliseconds(500), unreachability.timeLeft)))
            if let report = poll.reports.first { return report.outcome }
            for failure in poll.failures { unreachability.hear(failure) }
        } while !unreachability.isCertain
        throw unreachability.reason
            ?? KafkaError(kind: .unreachable, name: "_TIMED_OUT", message: "no broker acknowledged the event within \(limit.quantity)")
    }

    /// The embedded broker has another port after each start of its hub, and a shell keeps the old one.
    private var advice: String {
        guard case .variable(let name) = origin else { return "" }
        return ". If the embedded hub was restarted, \(name) is stale: source its embedded.env (.hub/embedded.env) again"
    }
}

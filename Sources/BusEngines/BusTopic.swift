import Kafka

/// Looks for the topic of the bus, and makes it when it is missing.
package struct BusTopic: Sendable {
    package enum State: Equatable, Sendable {
        case there(partitions: Int)
        case failed(String)
    }

    private let settings: KafkaBusSettings
    /// A hint is of no use after seconds. Ten minutes are for the operator who looks.
    private static let topicSettings = [("retention.ms", "600000"), ("cleanup.policy", "delete")]

    package init(_ settings: KafkaBusSettings) { self.settings = settings }

    /// Blocks for about three times `limit` at most.
    /// - Parameter isRehearsal: whether making it is only tried; it then counts as there, with no partitions.
    package func state(isRehearsal: Bool = false, within limit: Duration) -> State {
        do throws(KafkaError) {
            if let partitions = try partitions(limit) { return .there(partitions: partitions) }
            let creation = TopicCreation(brokers: settings.brokers, properties: settings.properties)
            do throws(KafkaError) {
                try creation.make(settings.topic, with: Self.topicSettings, isRehearsal: isRehearsal, within: limit)
            } catch {
                return .failed("topic \(settings.topic) does not exist, and the hub cannot create it: \(error.message)")
            }
            if isRehearsal { return .there(partitions: 0) }
            // Brokers tell of a new topic a moment after it was made; the next attempt finds it.
            return try partitions(limit).map { .there(partitions: $0) } ?? .failed("topic \(settings.topic) was created just now")
        } catch {
            return .failed("\(settings.brokers): \(error.message)")
        }
    }

    private func partitions(_ limit: Duration) throws(KafkaError) -> Int? {
        try ClusterMetadata.fetch(brokers: settings.brokers, properties: settings.properties, within: limit).partitions[settings.topic]
    }
}

package import Kafka

/// Looks for the dead-letter topic, and makes it when it is missing. Brokers that make topics automatically are rare in production, and
/// without this topic a single record that cannot be decoded stops all reading.
package struct DeadLetterTopic: Sendable {
    package let name: String
    package let brokers: String
    package let properties: ClientProperties

    package enum State: Equatable, Sendable {
        case there(partitions: Int)
        case made
        /// It does not exist, and could not be made for this reason.
        case missing(KafkaError)
        /// No broker could be asked.
        case unknown(KafkaError)
    }

    package init(_ name: String, brokers: String, properties: ClientProperties) {
        self.name = name
        self.brokers = brokers
        self.properties = properties
    }

    /// Blocks for about twice `limit` at most.
    /// - Parameter isRehearsal: whether making it is only tried.
    package func state(isRehearsal: Bool = false, within limit: Duration) -> State {
        do throws(KafkaError) {
            let metadata = try ClusterMetadata.fetch(brokers: brokers, properties: properties, within: limit)
            if let partitions = metadata.partitions[name] { return .there(partitions: partitions) }
        } catch {
            return .unknown(error)
        }
        do throws(KafkaError) {
            try TopicCreation(brokers: brokers, properties: properties).make(name, isRehearsal: isRehearsal, within: limit)
            return .made
        } catch {
            return .missing(error)
        }
    }
}

extension KafkaError.Kind {
    /// Whether the topic itself is why a letter failed: it is missing or closed to this client. Waiting does not help.
    var isOfTheTopic: Bool {
        switch self {
        case .unknownTopic, .unauthorized, .other: true
        case .property, .configuration, .queueFull, .recordTooLarge, .unreachable, .fatal: false
        }
    }
}

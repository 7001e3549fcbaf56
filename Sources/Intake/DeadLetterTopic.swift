package import Kafka

/// Whether the topic that dead letters go to is there; it is made when it is not. Brokers that make topics by themselves are rare in
/// production, and without this one a single record that cannot be understood stops all reading.
package struct DeadLetterTopic: Sendable {
    package let name: String
    package let brokers: String
    package let properties: ClientProperties

    package enum State: Equatable, Sendable {
        case there(partitions: Int)
        case made
        /// It is not there, and cannot be made, for the reason.
        case missing(KafkaError)
        /// Nobody could be asked.
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
    /// Whether a letter failed for what the topic is, or that it is not; waiting will not mend it.
    var isOfTheTopic: Bool {
        switch self {
        case .unknownTopic, .unauthorized, .other: true
        case .property, .configuration, .queueFull, .recordTooLarge, .unreachable, .fatal: false
        }
    }
}

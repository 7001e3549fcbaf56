import Bus
package import Configuration
package import Kafka
package import Redis

/// Which engine the bus has, and how it is reached.
package enum EngineSettings: Equatable, Sendable {
    case kafka(KafkaBusSettings)
    case redis(RedisBusSettings)
}

package struct KafkaBusSettings: Equatable, Sendable {
    package var brokers: String
    package var topic: String
    /// Is not joined: `TailReader`.
    package var group: String
    package var fetchWait: Duration
    package var properties: ClientProperties

    package init(brokers: String, topic: String, group: String, fetchWait: Duration, properties: ClientProperties) {
        self.brokers = brokers
        self.topic = topic
        self.group = group
        self.fetchWait = fetchWait
        self.properties = properties
    }
}

package struct RedisBusSettings: Equatable, Sendable {
    package var address: RedisAddress
    /// The Redis channels are called by this, a dot and the number of the lane.
    package var name: String

    package init(address: RedisAddress, name: String) {
        self.address = address
        self.name = name
    }

    package var channels: [String] { (0..<BusPacket.lanes).map { "\(name).\($0)" } }
}

extension EngineSettings {
    /// A setting is missing or wrong.
    package struct Failure: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// Nil when the bus needs no engine.
    package init?(_ configuration: Configuration) throws(Failure) {
        guard configuration.bus == "kafka" || configuration.bus == "redis" else { return nil }
        let topic = configuration.busTopic
        guard topic.utf8.count <= 200, topic.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }) else {
            throw Failure(description: "bus-topic: expected at most 200 letters, digits, dots, - and _")
        }
        if configuration.bus == "kafka" {
            let kafka = configuration.kafka
            self = .kafka(
                KafkaBusSettings(
                    brokers: kafka.brokers.joined(separator: ","), topic: topic, group: kafka.group, fetchWait: kafka.fetchWait,
                    properties: ClientProperties(kafka.properties.map { ($0.name, $0.value) })))
        } else {
            guard let url = configuration.redis.url else { throw Failure(description: "redis.url is not set, and bus is redis") }
            do throws(RedisAddress.Failure) {
                self = .redis(RedisBusSettings(address: try RedisAddress(url), name: topic))
            } catch {
                throw Failure(description: "redis.url: \(error)")
            }
        }
    }
}

import Auth
package import Configuration
import Curl
import Intake
import Kafka
import KeySource
import Store

/// `hub check`: tests the hub's dependencies one after the other and reports its findings.
package struct DependencyCheck: Sendable {
    package struct Finding: Equatable, Sendable {
        package let isGood: Bool
        /// `database`, `kafka`, `dead letters` or `keys`, and the finding.
        package let line: String
    }

    private let configuration: Configuration
    private static let kafkaLimit: Duration = .seconds(10)

    package init(_ configuration: Configuration) { self.configuration = configuration }

    package func run() -> [Finding] { [database, kafka, deadLetters, keys].compactMap { $0 } }

    private var database: Finding {
        guard let url = configuration.database.url else { return bad("database: database.url is not set") }
        do throws(MigrationError) {
            let (database, known) = try Migrator.inspect(url)
            if database > known { return bad("database: its schema is at \(database), this program knows \(known): use a newer hub") }
            let state = database == known ? "" : "; `hub migrate` or the next start updates it"
            return good("database: reachable, schema at \(database) of \(known)\(state)")
        } catch {
            return bad("database: \(error)")
        }
    }

    private var kafka: Finding {
        let kafka = configuration.kafka
        guard !kafka.brokers.isEmpty else { return bad("kafka: kafka.brokers is not set") }
        do throws(KafkaError) {
            let metadata = try ClusterMetadata.fetch(
                brokers: kafka.brokers.joined(separator: ","), properties: properties, within: Self.kafkaLimit)
            let topics = kafka.topics.map { name in
                if name.hasPrefix("^") { return "\(name) (a pattern)" }
                return "\(name) " + (metadata.partitions[name].map { "(\($0) partitions)" } ?? "(does not exist yet)")
            }
            return good(
                "kafka: \(metadata.brokers.count) broker(s): \(metadata.brokers.joined(separator: ", ")); \(topics.joined(separator: ", "))"
            )
        } catch {
            return bad("kafka: \(kafka.brokers.joined(separator: ",")): \(error.message)")
        }
    }

    /// Nil when the Kafka cluster is unreachable.
    private var deadLetters: Finding? {
        let kafka = configuration.kafka
        guard !kafka.brokers.isEmpty else { return nil }
        let topic = DeadLetterTopic(kafka.deadLetterTopic, brokers: kafka.brokers.joined(separator: ","), properties: properties)
        switch topic.state(isRehearsal: true, within: Self.kafkaLimit) {
        case .there(let partitions): return good("dead letters: \(topic.name) (\(partitions) partitions)")
        case .made: return good("dead letters: \(topic.name) does not exist yet, the hub creates it when it starts")
        case .missing(let failure):
            return bad("dead letters: \(topic.name) does not exist, and the hub cannot create it: \(failure.message). Create it")
        case .unknown: return nil
        }
    }

    private var properties: ClientProperties { ClientProperties(configuration.kafka.properties.map { ($0.name, $0.value) }) }

    private var keys: Finding {
        guard let source = configuration.auth.jwks else { return bad("keys: auth.jwks is not set") }
        let location = KeyLocation(source)
        let shown = Setting.masked(source)
        switch KeyReader(location, limits: location.limits(overPlainHTTP: configuration.auth.jwksOverPlainHTTP)).read() {
        case .keys(let keys, _):
            let notes = keys.notes.isEmpty ? "" : ", \(keys.notes.count) not usable"
            return keys.isEmpty ? bad("keys: \(shown) holds no usable key") : good("keys: \(keys.keys.count) from \(shown)\(notes)")
        case .failed(let failure): return bad("keys: \(shown): \(failure)")
        }
    }

    private func good(_ line: String) -> Finding { Finding(isGood: true, line: line) }

    private func bad(_ line: String) -> Finding {
        // libpq's messages have several lines.
        Finding(isGood: false, line: line.split(whereSeparator: \.isNewline).map { String($0.trimmingSpaces) }.joined(separator: " "))
    }
}

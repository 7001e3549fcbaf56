import Auth
import BusEngines
package import Configuration
import Curl
import Intake
import Kafka
import KeySource
import Rules
import Store

/// `hub check`: tests the hub's dependencies one after the other and reports its findings.
package struct DependencyCheck: Sendable {
    package struct Finding: Equatable, Sendable {
        /// In the order of the output: what keeps the hub from working, what makes it lose promises, and the rest.
        package enum Grade: CaseIterable, Sendable { case bad, warning, good }
        package let grade: Grade
        /// `database`, `kafka`, `dead letters`, `rules`, `bus` or `keys`, and the finding.
        package let line: String
    }

    private let configuration: Configuration
    private static let kafkaLimit: Duration = .seconds(8)

    package init(_ configuration: Configuration) { self.configuration = configuration }

    package func run() -> [Finding] { [database] + standbys + durability + kafka + rules + bus + [keys] }

    private var database: Finding {
        guard let url = configuration.database.url else { return bad("database: database.url is not set") }
        do throws(MigrationError) {
            let found = try Migrator.inspect(url)
            let (database, known) = (found.database, found.known)
            guard found.works else { return bad("database: its schema is at \(database), this program knows \(known): use a newer hub") }
            if database > known { return good("database: reachable, schema at \(database); this hub knows \(known) and works with it") }
            let state = database == known ? "" : "; `hub migrate` or the next start updates it"
            return good("database: reachable, schema at \(database) of \(known)\(state)")
        } catch {
            return bad("database: \(error)")
        }
    }

    /// An answer that a standby does not have yet is lost when the standby takes over.
    private var standbys: [Finding] {
        guard let url = configuration.database.url, let standbys = try? Standbys.look(url), standbys.isUnsafe else { return [] }
        let line = "database: \(standbys.count) standby(s), and no commit waits for one (\(standbys.reason)): "
        return [Finding(grade: .warning, line: line + "after a failover, messages and acknowledgements that were answered may be missing")]
    }

    /// Settings of the database under which "stored" is not true after a crash of its machine.
    private var durability: [Finding] {
        guard let url = configuration.database.url, let risks = try? Migrator.risks(url) else { return [] }
        return risks.map { Finding(grade: .warning, line: "database: \($0)") }
    }

    private var kafka: [Finding] {
        let kafka = configuration.kafka
        guard !kafka.brokers.isEmpty else { return [bad("kafka: kafka.brokers is not set")] }
        do throws(KafkaError) {
            let metadata = try ClusterMetadata.fetch(brokers: brokers, properties: properties, within: Self.kafkaLimit)
            return [cluster(metadata)] + rights(metadata) + [deadLetters].compactMap { $0 }
        } catch {
            // Nothing else can be asked of a cluster that is not there.
            return [bad("kafka: \(brokers): \(error.message)")]
        }
    }

    private var brokers: String { configuration.kafka.brokers.joined(separator: ",") }

    private func cluster(_ metadata: ClusterMetadata) -> Finding {
        let topics = (configuration.kafka.topics + configuration.rules.topics).map { name in
            if name.hasPrefix("^") { return "\(name) (a pattern)" }
            return "\(name) " + (metadata.partitions[name].map { "(\($0) partitions)" } ?? "(does not exist yet)")
        }
        return good(
            "kafka: \(metadata.brokers.count) broker(s): \(metadata.brokers.joined(separator: ", ")); \(topics.joined(separator: ", "))")
    }

    /// A cluster hides a topic that this client may not even describe, so it is tried, too.
    private func rights(_ metadata: ClusterMetadata) -> [Finding] {
        let names = (configuration.kafka.topics + configuration.rules.topics).filter { !$0.hasPrefix("^") }
        let probe = ReadProbe(brokers: brokers, group: configuration.kafka.group, properties: properties)
        do throws(KafkaError) {
            return try probe.refusals(topics: names, within: .seconds(3)).map { name, failure in
                let what = name == configuration.kafka.group ? "group" : "topic"
                return bad("kafka: no right to read: \(what) \(name): \(failure.message). Grant READ on it")
            }
        } catch {
            return [bad("kafka: \(brokers): \(error.message)")]
        }
    }

    /// Nil when the Kafka cluster is unreachable.
    private var deadLetters: Finding? {
        let topic = DeadLetterTopic(configuration.kafka.deadLetterTopic, brokers: brokers, properties: properties)
        switch topic.state(isRehearsal: true, within: Self.kafkaLimit) {
        case .there(let partitions): return good("dead letters: \(topic.name) (\(partitions) partitions)")
        case .made: return good("dead letters: \(topic.name) does not exist yet, the hub creates it when it starts")
        case .missing(let failure):
            return bad("dead letters: \(topic.name) does not exist, and the hub cannot create it: \(failure.message). Create it")
        case .unknown: return nil
        }
    }

    private var rules: [Finding] {
        guard let path = configuration.rules.file else { return [] }
        do throws(RulesFile.Failure) {
            let count = try RulesFile(reading: path).rules.rules.count
            guard !configuration.rules.topics.isEmpty else {
                return [Finding(grade: .warning, line: "rules: rules.topics is empty, so no change of a row is read")]
            }
            return [good("rules: \(path): \(count) rules, no fault")]
        } catch {
            return error.lines.map { bad("rules: \($0)") }
        }
    }

    /// Nothing, when the bus is the database.
    private var bus: [Finding] {
        do throws(EngineSettings.Failure) {
            guard let settings = try EngineSettings(configuration) else { return [] }
            switch BusCheck.run(settings, within: Self.kafkaLimit) {
            case .heard: return [good("bus: \(configuration.bus): a message that was sent came back")]
            case .willBeMade: return [good("bus: topic \(configuration.busTopic) does not exist yet, the hub creates it when it starts")]
            case .failed(let reason): return [bad("bus: \(reason)")]
            }
        } catch {
            return [bad("bus: \(error)")]
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

    private func good(_ line: String) -> Finding { Finding(grade: .good, line: line) }

    private func bad(_ line: String) -> Finding {
        // libpq's messages have several lines.
        Finding(grade: .bad, line: line.split(whereSeparator: \.isNewline).map { String($0.trimmingSpaces) }.joined(separator: " "))
    }
}

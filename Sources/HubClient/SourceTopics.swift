import ChangeCapture
import Rules

/// Judges the topics of a capture: that rules' tables have one that the hub reads, and that heartbeats come. Pure.
struct SourceTopics {
    /// The topics of the cluster.
    let topics: [String]
    /// `rules.topics`.
    let read: [String]
    let rules: RuleSet
    /// Whether `source.silent-after` is set.
    let isWatched: Bool

    var all: [SourceFinding] {
        guard !read.isEmpty else {
            return [.wrong("kafka", "rules.topics is empty, so no change is read", mend: "set rules.topics to the connector's topics")]
        }
        return tables + heartbeats
    }

    private var tables: [SourceFinding] {
        let names = Set(rules.rules.map(\.table)).sorted { "\($0)" < "\($1)" }
        return names.map { name in
            let found = topics(of: name)
            guard !found.isEmpty else {
                return .warning(
                    "kafka", "there is no topic for \(name) (<topic.prefix>.\(name))",
                    mend: "if brokers do not create topics by themselves, create it; otherwise it comes with the first change")
            }
            guard let topic = found.first(where: isRead) else {
                return .wrong(
                    "kafka", "the topic \(found.joined(separator: " or ")) is not read, and rules need it", mend: "add it to rules.topics")
            }
            return .good("kafka", "\(name): topic \(topic)")
        }
    }

    private var heartbeats: [SourceFinding] {
        let options = rules.changes
        let prefixes = Set(rules.rules.map(\.table)).flatMap { table in
            topics(of: table).filter(isRead).map { String($0.dropLast(table.description.count + 1)) }
        }
        // Other connectors of the cluster may serve others. Without a topic of a table only those that are read are known to be ours.
        let found = topics.filter { topic in
            topic.hasPrefix(options.heartbeatTopicPrefix)
                && (prefixes.isEmpty ? isRead(topic) : prefixes.contains { topic == "\(options.heartbeatTopicPrefix).\($0)" })
        }.sorted()
        guard !found.isEmpty else {
            return [
                .warning(
                    "kafka",
                    "there is no heartbeat topic (\(options.heartbeatTopicPrefix).<topic.prefix>): while tables rest, nothing tells "
                        + "a working connector from a dead one, and the slot keeps the log",
                    mend: "set heartbeat.interval.ms and heartbeat.action.query in the connector")
            ]
        }
        guard isWatched else {
            return [
                .warning(
                    "kafka", "heartbeats come, and nobody watches them: source.silent-after is off",
                    mend: "set source.silent-after to several times heartbeat.interval.ms, and add the topic to rules.topics")
            ]
        }
        return found.map { topic in
            isRead(topic)
                ? .good("kafka", "heartbeats: topic \(topic)")
                : .wrong(
                    "kafka", "the heartbeat topic \(topic) is not read: source.silent-after would give false alarms while tables rest",
                    mend: "add it to rules.topics")
        }
    }

    /// By Debezium's names.
    private func topics(of table: TableName) -> [String] { topics.filter { $0.hasSuffix(".\(table)") }.sorted() }

    private func isRead(_ topic: String) -> Bool {
        read.contains { name in
            guard name.hasPrefix("^") else { return name == topic }
            guard let pattern = try? Regex(name) else { return false }
            return topic.firstMatch(of: pattern) != nil
        }
    }
}

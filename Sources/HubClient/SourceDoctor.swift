package import Configuration
import Intake
import JSON
import Kafka
import Messaging
import Postgres
import Rules
import Store

/// `hub doctor`: checks the capture of the platform's database against what the rules need.
package struct SourceDoctor {
    private let configuration: Configuration
    private static let kafkaLimit: Duration = .seconds(8)

    package init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Throws: the platform's database is not configured.
    package func run() throws(CommandFailure) -> [SourceFinding] {
        guard let address = configuration.source.databaseURL else {
            throw CommandFailure(.configuration, "source.database-url (HUB_SOURCE_DATABASE_URL) is not set, and no address was given")
        }
        var findings: [SourceFinding] = []
        let rules = rules(&findings)
        findings += database(address, rules)
        findings += kafka(rules)
        findings += heard
        return findings
    }

    private func rules(_ findings: inout [SourceFinding]) -> RuleSet {
        guard let path = configuration.rules.file else {
            findings.append(
                .warning("rules", "rules.file is not set, so tables are not checked", mend: "set rules.file (HUB_RULES_FILE)"))
            return .empty
        }
        do throws(RulesFile.Failure) {
            let rules = try RulesFile(reading: path).rules
            findings.append(.good("rules", "\(path): \(rules.rules.count) rules, no fault"))
            return rules
        } catch {
            findings += error.lines.map { .wrong("rules", $0, mend: "correct the file; hub rules check shows its faults") }
            return .empty
        }
    }

    private func database(_ address: String, _ rules: RuleSet) -> [SourceFinding] {
        let source = configuration.source
        do throws(PostgresError) {
            let facts = try SourceFacts.read(
                address, slot: source.slot, publication: source.publication, tables: rules.rules.map(\.table))
            return SourceFindings(facts: facts, rules: rules, slot: source.slot, publication: source.publication).all
        } catch {
            let reason = error.message.split(whereSeparator: \.isNewline).joined(separator: " ")
            return [
                .wrong(
                    "database", "the platform's database cannot be asked: \(reason)",
                    mend: "check source.database-url, and that it is up")
            ]
        }
    }

    private func kafka(_ rules: RuleSet) -> [SourceFinding] {
        let kafka = configuration.kafka
        guard !kafka.brokers.isEmpty else {
            return [.warning("kafka", "kafka.brokers is not set, so topics are not checked", mend: "set kafka.brokers")]
        }
        let brokers = kafka.brokers.joined(separator: ",")
        do throws(KafkaError) {
            let metadata = try ClusterMetadata.fetch(
                brokers: brokers, properties: ClientProperties(kafka.properties.map { ($0.name, $0.value) }), within: Self.kafkaLimit)
            return SourceTopics(
                topics: Array(metadata.partitions.keys), read: configuration.rules.topics, rules: rules,
                isWatched: configuration.source.silentAfter > .zero
            ).all
        } catch {
            return [.wrong("kafka", "\(brokers): \(error.message)", mend: "check kafka.brokers and kafka.properties")]
        }
    }
}

extension SourceDoctor {
    /// Nothing, unless sources are watched and the hub's database is known.
    private var heard: [SourceFinding] {
        guard configuration.source.silentAfter > .zero, let address = configuration.database.url else { return [] }
        do throws(MigrationError) {
            return Self.findings(try SourceListing.read(address, group: configuration.kafka.group), group: configuration.kafka.group)
        } catch {
            let reason = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
            return [
                .warning(
                    "hub", "the hub's database cannot be asked what was heard: \(reason)",
                    mend: "hub check tests it; a hub of this version brings its schema up to date")
            ]
        }
    }

    static func findings(_ heard: [SourceState], group: String) -> [SourceFinding] {
        guard !heard.isEmpty else {
            return [
                .warning(
                    "hub", "no hub of the group \(group) has heard a source yet",
                    mend: "start a hub with source.silent-after, and see that the topics of the connector are among rules.topics")
            ]
        }
        return heard.map { source in
            let age = "\(source.age.components.seconds) s ago"
            guard source.silence != nil else { return .good("hub", "the source \(source.name) was heard \(age)") }
            return .wrong(
                "hub", "the source \(source.name) is silent: it was heard \(age) in \(source.topic)",
                mend: "see that its connector runs and reaches Kafka. If it is gone for good: "
                    + "delete from hub.source where name = '\(source.name)'")
        }
    }
}

/// The findings as text.
package enum DoctorReport {
    /// What is wrong first.
    package static func lines(_ findings: [SourceFinding]) -> [String] {
        SourceFinding.Grade.allCases.flatMap { grade in
            findings.filter { $0.grade == grade }.flatMap { finding in
                ["\(mark(of: grade))\(finding.part): \(finding.text)"] + [finding.mend.map { "     mend: \($0)" }].compactMap { $0 }
            }
        }
    }

    /// One JSON object.
    package static func json(_ findings: [SourceFinding]) -> String {
        var object = JSONObject()
        object["ok"] = .bool(isHealthy(findings))
        object["findings"] = .array(
            findings.map { finding in
                var one = JSONObject()
                one["grade"] = .string(finding.grade.rawValue)
                one["part"] = .string(finding.part)
                one["finding"] = .string(finding.text)
                one["mend"] = finding.mend.map { .string($0) }
                return .object(one)
            })
        return JSONValue.object(object).text
    }

    package static func isHealthy(_ findings: [SourceFinding]) -> Bool { !findings.contains { $0.grade == .wrong } }

    private static func mark(of grade: SourceFinding.Grade) -> String {
        switch grade {
        case .wrong: "FAIL "
        case .warning: "warn "
        case .good: "ok   "
        }
    }
}

import ChangeCapture
import Rules

/// Judges the facts of the platform's database by what the hub and its rules need. Pure.
struct SourceFindings {
    let facts: SourceFacts
    let rules: RuleSet
    /// The names of the connector's slot and publication.
    let slot: String
    let publication: String

    var all: [SourceFinding] { database + [slotFinding] + slotRisks + publicationFindings + tables.flatMap(of(table:)) }

    private var tables: [TableName] { Set(rules.rules.map(\.table)).sorted { "\($0)" < "\($1)" } }

    // MARK: Server and slot

    private var database: [SourceFinding] {
        let server = "database \(facts.database), PostgreSQL \(facts.version / 10_000)"
        var findings: [SourceFinding] = []
        if facts.walLevel == "logical" {
            findings.append(.good("database", "\(server): wal_level is logical"))
        } else {
            findings.append(
                .wrong(
                    "database", "\(server): wal_level is \(facts.walLevel), so its log has no changes that a connector can read",
                    mend: "alter system set wal_level = 'logical', then restart the server"))
        }
        if facts.keptMegabytes < 0 {
            findings.append(
                .warning(
                    "database", "max_slot_wal_keep_size is unlimited: while no connector reads, the log grows until the disk is full",
                    mend: "alter system set max_slot_wal_keep_size = '20GB' (less than the free space), then select pg_reload_conf()"))
        } else {
            findings.append(.good("database", "max_slot_wal_keep_size is \(facts.keptMegabytes) MB: a dead connector cannot fill the disk"))
        }
        return findings
    }

    private var slotFinding: SourceFinding {
        let create = "start the connector with slot.name = \(slot), or select pg_create_logical_replication_slot('\(slot)', 'pgoutput')"
        guard let found = facts.slot else {
            let others = facts.slots.isEmpty ? "" : "; this database has \(facts.slots.joined(separator: ", ")) (setting source.slot)"
            return .wrong("slot", "there is no replication slot \(slot)\(others)", mend: create)
        }
        let again =
            "delete the slot and the connector's position, and let it make a new snapshot. What happened in between is not told to anybody"
        if found.walStatus == "lost" {
            let why = found.invalidation.map { " (\($0))" } ?? ""
            return .wrong("slot", "\(slot) was invalidated\(why): PostgreSQL has removed log that the connector had not read", mend: again)
        }
        if let reason = found.invalidation { return .wrong("slot", "\(slot) was invalidated: \(reason)", mend: again) }
        guard let plugin = found.plugin, found.database == facts.database else {
            return .wrong(
                "slot",
                "\(slot) is a slot of \(found.database.map { "the database \($0)" } ?? "physical replication"), not of \(facts.database)",
                mend: "give the connector a slot of its own in this database")
        }
        if plugin != "pgoutput" {
            return .wrong(
                "slot", "\(slot) has the plugin \(plugin), and not pgoutput",
                mend: "delete it and let the connector make one with plugin.name = pgoutput")
        }
        let lag = found.lagBytes.map { "; \(Self.size($0)) (\($0) bytes) of the log are not confirmed" } ?? ""
        if found.walStatus == "unreserved" {
            return .wrong(
                "slot", "\(slot) is about to be lost: it needs log beyond max_slot_wal_keep_size\(lag)",
                mend: "let the connector read now, or raise max_slot_wal_keep_size before the next checkpoint")
        }
        guard found.isActive else {
            return .wrong(
                "slot", "no connector reads \(slot)\(lag)",
                mend: "start the connector, or delete the slot if it is not needed: select pg_drop_replication_slot('\(slot)')")
        }
        return .good("slot", "\(slot) is read by a connector\(lag)")
    }

    private var slotRisks: [SourceFinding] {
        guard let found = facts.slot else { return [] }
        var findings: [SourceFinding] = []
        if let lag = found.lagBytes, lag > Self.largeLag {
            findings.append(
                .warning(
                    "slot", "\(slot) is \(Self.size(lag)) behind: people are told late",
                    mend:
                        "look at the connector's log and MilliSecondsBehindSource. If the captured tables rest, set heartbeat.action.query"
                ))
        }
        switch found.isFailover {
        case false?:
            findings.append(
                .warning(
                    "slot", "\(slot) is no failover slot: after a failover to a standby it does not exist, and changes are lost",
                    mend: "set slot.failover = true in the connector and sync_replication_slots = on at the standby, if there is one"))
        case true?: findings.append(.good("slot", "\(slot) is a failover slot"))
        case nil: break
        }
        return findings
    }

    /// A connector that works is behind by some megabytes at most.
    private static let largeLag: Int64 = 1 << 30

    private static func size(_ bytes: Int64) -> String {
        switch bytes {
        case ..<(1 << 20): "\(bytes >> 10) KiB"
        case ..<(1 << 30): "\(bytes >> 20) MiB"
        default: "\(bytes >> 30) GiB"
        }
    }

    // MARK: Publication

    private var publicationFindings: [SourceFinding] {
        guard let found = facts.publication else {
            let others =
                facts.publications.isEmpty ? "" : "; there is \(facts.publications.joined(separator: ", ")) (setting source.publication)"
            let list = tables.isEmpty ? "…" : tables.map(\.description).joined(separator: ", ")
            return [
                .wrong(
                    "publication", "there is no publication \(publication)\(others)",
                    mend: "create publication \(publication) for table \(list)")
            ]
        }
        var findings: [SourceFinding] = []
        let missing = [RowChange.Operation.insert, .update, .delete].filter { !found.operations.contains($0) }.map(\.rawValue)
        let mend = "alter publication \(publication) set (publish = 'insert, update, delete, truncate')"
        if !missing.isEmpty {
            findings.append(
                .wrong(
                    "publication",
                    "\(publication) does not publish \(missing.joined(separator: ", ")): these changes notify nobody and take nothing back",
                    mend: mend))
        }
        if !found.publishesTruncate {
            findings.append(.warning("publication", "\(publication) does not publish truncate", mend: mend))
        }
        if findings.isEmpty {
            findings.append(.good("publication", "\(publication) publishes all changes of \(found.tables.count) table(s)"))
        }
        return findings
    }
}

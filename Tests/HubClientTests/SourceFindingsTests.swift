import ChangeCapture
import HangGuard
import Messaging
import Rules
import Testing

@testable import HubClient

/// What `hub doctor` says of facts. `test_doctor.py` makes the same faults in a real database.
@Suite("Findings about a source", .guarded) struct SourceFindingsTests {
    private static let rules = """
        version: 1
        tables: { app.review: { identity: full } }
        rules:
          - { name: opened, table: app.review, when: 'became(after.status, "open")', to: "user:{reviewer}", type: a, title: "{title}" }
          - { name: gone, table: app.note, operations: [delete], to: "user:{owner}", type: b }
        """
    private static let review = TableName(schema: "app", table: "review")
    private static let note = TableName(schema: "app", table: "note")

    private static var sound: SourceFacts {
        var facts = SourceFacts()
        facts.database = "portal"
        facts.keptMegabytes = 20_480
        var slot = SourceFacts.Slot()
        slot.database = "portal"
        slot.lagBytes = 2_048
        facts.slot = slot
        var publication = SourceFacts.Publication()
        publication.tables = [review: SourceFacts.PublishedTable(), note: SourceFacts.PublishedTable()]
        facts.publication = publication
        facts.tables = [
            review: SourceFacts.Table(columns: ["id", "status", "reviewer", "title"]),
            note: SourceFacts.Table(identity: .standard, columns: ["id", "owner"], key: ["id", "owner"]),
        ]
        return facts
    }

    private func findings(_ change: (inout SourceFacts) -> Void = { _ in }) throws -> [SourceFinding] {
        var facts = Self.sound
        change(&facts)
        return SourceFindings(facts: facts, rules: try RuleSet(parsing: Self.rules), slot: "hub", publication: "hub").all
            .filter { $0.grade != .good }
    }

    @Test func `A sound source has nothing to mend`() throws {
        #expect(try findings() == [])
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let grade: SourceFinding.Grade
        let part: String
        let says: String
        let make: @Sendable (inout SourceFacts) -> Void
        init(
            _ name: String, _ grade: SourceFinding.Grade, _ part: String, _ says: String,
            _ make: @escaping @Sendable (inout SourceFacts) -> Void
        ) {
            (testDescription, self.grade, self.part, self.says, self.make) = (name, grade, part, says, make)
        }
    }

    static let faults = [
        Fault("wal_level", .wrong, "database", "wal_level is replica") { $0.walLevel = "replica" },
        Fault("no bound", .warning, "database", "unlimited") { $0.keptMegabytes = -1 },
        Fault("no slot", .wrong, "slot", "no replication slot hub; this database has debezium") {
            $0.slot = nil
            $0.slots = ["debezium"]
        },
        Fault("inactive", .wrong, "slot", "no connector reads hub; 2 KiB (2048 bytes)") { $0.slot?.isActive = false },
        Fault("lost", .wrong, "slot", "was invalidated (wal_removed)") {
            $0.slot?.walStatus = "lost"
            $0.slot?.invalidation = "wal_removed"
        },
        Fault("about to be lost", .wrong, "slot", "about to be lost") { $0.slot?.walStatus = "unreserved" },
        Fault("invalidated on a standby", .wrong, "slot", "was invalidated: rows_removed") { $0.slot?.invalidation = "rows_removed" },
        Fault("plugin", .wrong, "slot", "plugin wal2json") { $0.slot?.plugin = "wal2json" },
        Fault("other database", .wrong, "slot", "the database other") { $0.slot?.database = "other" },
        Fault("physical", .wrong, "slot", "physical replication") {
            $0.slot?.database = nil
            $0.slot?.plugin = nil
        },
        Fault("far behind", .warning, "slot", "3 GiB behind") { $0.slot?.lagBytes = 3 << 30 },
        Fault("no failover slot (17)", .warning, "slot", "no failover slot") { $0.slot?.isFailover = false },
        Fault("no publication", .wrong, "publication", "no publication hub; there is dbz") {
            $0.publication = nil
            $0.publications = ["dbz"]
        },
        Fault("operations", .wrong, "publication", "does not publish update, delete") { $0.publication?.operations = [.insert] },
        Fault("truncate", .warning, "publication", "truncate") { $0.publication?.publishesTruncate = false },
        Fault("table not published", .wrong, "app.review", "does not contain it") { $0.publication?.tables[review] = nil },
        Fault("column list", .wrong, "app.review", "leaves out columns reviewer, title") {
            $0.publication?.tables[review]?.columns = ["id", "status"]
        },
        Fault("row filter", .warning, "app.review", "row filter, (id > 7)") { $0.publication?.tables[review]?.rowFilter = "(id > 7)" },
        Fault("no table", .wrong, "app.review", "there is no such table, and rule opened names it") { $0.tables[review] = nil },
        Fault("no column", .wrong, "app.review", "rule opened names the column title") {
            $0.tables[review]?.columns = ["id", "status", "reviewer", "titel"]
        },
        Fault("identity of before", .wrong, "app.review", "compares with the old value of column status") {
            $0.tables[review]?.identity = .standard
        },
        Fault("identity declared", .wrong, "app.review", "says identity: full, and the table's replica identity is default") {
            $0.tables[review]?.identity = .standard
        },
        Fault("identity not declared", .warning, "app.note", "does not say so") { $0.tables[note]?.identity = .full },
        Fault("identity of deletes", .wrong, "app.note", "rule gone needs column owner of deleted rows") { $0.tables[note]?.key = ["id"] },
        Fault("index without the key", .wrong, "app.review", "an index without key column id") {
            $0.tables[review]?.identity = .index
            $0.tables[review]?.index = ["status"]
        },
        Fault("dropped index", .wrong, "app.note", "an index that does not exist any more") { $0.tables[note]?.identity = .index },
        Fault("nothing", .wrong, "app.note", "its replica identity is nothing") { $0.tables[note]?.identity = .nothing },
        Fault("no key", .warning, "app.review", "no primary key") { $0.tables[review]?.key = [] },
    ]

    @Test("Each fault is named with its remedy", arguments: faults)
    func fault(_ fault: Fault) throws {
        let all = try findings(fault.make)
        let found = all.filter { $0.part == fault.part && $0.text.contains(fault.says) }
        #expect(found.map(\.grade) == [fault.grade], "\(all)")
        #expect(found.first?.mend?.isEmpty == false)
    }

    @Test func `Topics of rules' tables and heartbeats must be read`() throws {
        let rules = try RuleSet(parsing: Self.rules)
        func findings(_ topics: [String], _ read: [String], isWatched: Bool = true) -> [String] {
            SourceTopics(topics: topics, read: read, rules: rules, isWatched: isWatched).all.filter { $0.grade != .good }
                .map { "\($0.grade.rawValue): \($0.text)" }
        }
        let topics = ["p.app.review", "p.app.note", "__debezium-heartbeat.p"]
        #expect(findings(topics, ["p.app.review", "p.app.note", "__debezium-heartbeat.p"]) == [])
        #expect(findings(topics, [#"^(p\.app\..*|__debezium-heartbeat\.p)$"#]) == [])
        #expect(findings(topics, [#"^p\.app\..*"#]).map { $0.contains("false alarms") } == [true])
        #expect(findings(topics, [#"^p\.app\..*"#], isWatched: false).map { $0.contains("source.silent-after is off") } == [true])
        #expect(
            findings(topics, ["p.app.review", "__debezium-heartbeat.p"])
                == ["wrong: the topic p.app.note is not read, and rules need it"])
        let read = ["p.app.review", "p.app.note", "__debezium-heartbeat.p"]
        #expect(findings(topics + ["__debezium-heartbeat.q"], read) == [], "of a connector for others")
        #expect(findings(["p.app.review"], ["p.app.review"]).count == 2, "no topic of app.note, and no heartbeat")
        #expect(findings(topics, []) == ["wrong: rules.topics is empty, so no change is read"])
    }

    @Test func `A silent source is wrong, and one that nobody has heard is a warning`() {
        func state(_ silence: Duration?) -> SourceState {
            SourceState(name: "p", topic: "beats", partition: 0, age: .seconds(90), silence: silence)
        }
        #expect(SourceDoctor.findings([state(nil)], group: "hub") == [.good("hub", "the source p was heard 90 s ago")])
        let silent = SourceDoctor.findings([state(.seconds(30))], group: "hub")
        #expect(silent.map(\.grade) == [.wrong] && silent[0].text == "the source p is silent: it was heard 90 s ago in beats")
        #expect(SourceDoctor.findings([], group: "hub").map(\.grade) == [.warning])
    }

    @Test func `What is wrong comes first, and the JSON says the same`() {
        let findings: [SourceFinding] = [.good("slot", "a"), .wrong("database", "b", mend: "c"), .warning("slot", "d", mend: "e")]
        #expect(
            DoctorReport.lines(findings) == [
                "FAIL database: b", "     mend: c", "warn slot: d", "     mend: e", "ok   slot: a",
            ])
        #expect(
            DoctorReport.json(Array(findings.prefix(2)))
                == #"{"ok":false,"findings":[{"grade":"good","part":"slot","finding":"a"},{"grade":"wrong","part":"database","finding":"b","mend":"c"}]}"#
        )
        #expect(DoctorReport.isHealthy([findings[0], findings[2]]))
    }
}

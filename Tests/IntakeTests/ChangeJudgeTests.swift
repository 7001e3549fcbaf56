import HangGuard
import Kafka
import Linux
import Logging
import Messaging
import Rules
import Telemetry
import Testing

@testable import Intake

/// What the intake makes of records of change data capture.
@Suite(.guarded) struct ChangeJudgeTests {
    private static let rules = """
        version: 1
        rules:
          - { name: asked, table: app.review, when: 'after.status == "open"', to: "user:{reviewer}", type: review.asked, title: "{title}" }
          - { name: broken, table: app.review, when: after.missing == 1, operations: [insert], to: "user:{reviewer}", type: t }
          - { name: named, table: app.note, to: "{target}", type: note.made }
        """
    private var judge: ChangeJudge

    init() throws {
        judge = ChangeJudge(events: EventDecoder(), rules: try RuleSet(parsing: Self.rules))
    }

    private static let source =
        #""source":{"db":"platform","schema":"app","table":"TABLE","lsn":900,"txId":5,"ts_ms":1764500000000,"sequence":"[\"880\",\"900\"]"}"#

    private mutating func change(
        _ operation: String, before: String = "null", after: String = "null", table: String = "review"
    ) -> (JudgedRecord, ChangeJudge.Findings) {
        let source = Self.source.replacing("TABLE", with: table)
        let value = #"{"before":\#(before),"after":\#(after),"op":"\#(operation)",\#(source)}"#
        return judge.judge(
            KafkaRecord(topic: "platform.app.\(table)", partition: 0, offset: 1, key: Array(#"{"id":7}"#.utf8), value: Array(value.utf8)))
    }

    private static let open = #"{"id":7,"status":"open","reviewer":"ann","title":"Essai"}"#
    private static let row = #"platform/app.review/{"id":7}"#
    private static let position = ChangePosition(commit: 880, lsn: 900, time: Timestamp(milliseconds: 1_764_500_000_000))

    @Test mutating func `An entry of a rule knows its row, its rule and the change`() throws {
        let (judged, findings) = change("u", after: Self.open)
        let draft = try #require(judged.drafts.first)
        #expect(draft.channel == .inbox(try #require(UserID("ann"))) && draft.source == "rule:asked" && draft.eventType == "review.asked")
        #expect(draft.cause == Cause(row: Self.row, rule: "asked", change: Self.position))
        #expect(
            judged.retractions == [
                Retraction(.cause(row: Self.row, rule: "asked"), origin: Self.row, change: Self.position, after: 0)
            ])
        #expect(findings.events == 1 && findings.retractions == 1 && findings.failures.isEmpty)
    }

    @Test mutating func `A rule that fails leaves the others their effect, and the record is dead-lettered`() throws {
        let (judged, findings) = change("c", after: Self.open)
        #expect(judged.drafts.count == 1)
        #expect(judged.cause?.reason == "rule_failed" && judged.cause?.detail?.hasPrefix("rule broken: when: ") == true)
        #expect(findings.failures.map(\.rule) == ["broken"])
    }

    @Test mutating func `A target that is none fails the rule, and says which`() throws {
        let (judged, findings) = change("c", after: #"{"id":7,"target":"nobody"}"#, table: "note")
        #expect(judged.cause?.reason == "rule_failed" && judged.drafts.isEmpty && findings.failures.count == 1)
    }

    @Test mutating func `A deleted row retracts what all rules made of it`() {
        let (judged, _) = change("d", before: Self.open)
        #expect(judged.drafts.isEmpty && judged.cause == nil)
        #expect(judged.retractions.map(\.target) == [.cause(row: Self.row, rule: nil)])
    }

    @Test mutating func `A change of a table without rules is counted and nothing else`() {
        #expect(change("c", after: Self.open, table: "other").0.judgement == .discarded("no_rule"))
        #expect(change("r", after: Self.open).0.judgement == .discarded("snapshot"))
    }

    @Test mutating func `The payload of an outbox event is an event of the hub`() throws {
        let payload = #""{\"type\":\"a.b\",\"to\":\"user:ann\",\"title\":\"Bonjour\"}""#
        let (judged, _) = judge.judge(
            KafkaRecord(
                topic: "outbox.event.review", partition: 0, offset: 1, key: Array(#""7""#.utf8), value: Array(payload.utf8),
                headers: [RecordHeader("id", Array("4fa1".utf8))]))
        let draft = try #require(judged.drafts.first)
        #expect(draft.source == "outbox:review" && draft.id == "4fa1" && draft.cause == nil)
    }

    @Test mutating func `A row that cannot be told from others is dead-lettered`() {
        let value = #"{"before":null,"after":\#(Self.open),"op":"c","source":{"db":"platform","schema":"app","table":"review"}}"#
        let (judged, _) = judge.judge(
            KafkaRecord(topic: "t", partition: 0, offset: 1, key: Array(#"{"id":7}"#.utf8), value: Array(value.utf8)))
        #expect(judged.cause != nil && judged.drafts.isEmpty)
    }

    @Test func `A refused file leaves the earlier rules, and a good one replaces them`() throws {
        let path = "/tmp/hub-rules-\(UInt64.random(in: 0 ..< .max)).yaml"
        #expect(throws: RulesFile.Failure.self) { try RulesFile(reading: path) }
        try Files.write(Array(Self.rules.utf8), to: path)
        defer { try? Files.remove(path) }
        let watch = RulesWatch(
            try RulesFile(reading: path), metrics: IntakeMetrics(), log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(watch.look()?.rules.count == nil, "it has not changed")
        try Files.write(Array("version: 3".utf8), to: path)
        #expect(watch.look()?.rules.count == nil)
        #expect(throws: RulesFile.Failure(lines: ["\(path): line 1: version: expected 1, got 3"])) { try RulesFile(reading: path) }
        try Files.remove(path)
        #expect(watch.look()?.rules.count == nil)
        try Files.write(Array("version: 1\nrules: []".utf8), to: path)
        #expect(watch.look()?.rules.count == 0)
    }
}

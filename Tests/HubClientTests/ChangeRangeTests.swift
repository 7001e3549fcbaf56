import Configuration
import HangGuard
import Kafka
import Testing

@testable import HubClient
@testable import Rules

@Suite("The range of hub rules try and replay", .guarded)
struct ChangeRangeTests {
    private let now: Int64 = 1_764_500_000_000

    @Test(
        "a bound is a time, a day, a duration ago, an offset or a word",
        arguments: [
            ("beginning", .beginning), ("end", .end), ("0", .offset(0)), ("17", .offset(17)), ("1970-01-01T00:00:01Z", .time(1_000)),
            ("1970-01-02", .time(86_400_000)), ("2h", .time(1_764_500_000_000 - 7_200_000)),
        ] as [(String, RangeBound)])
    func bounds(_ text: String, _ expected: RangeBound) throws {
        #expect(try ChangeRange.bound(text, of: "--from", now) == expected)
    }

    @Test("what is no bound is refused", arguments: ["", "-1", "noon", "1970-13-01", "2 h"])
    func noBound(_ text: String) {
        #expect(throws: CommandFailure.self) { try ChangeRange.bound(text, of: "--from", now) }
    }

    private func range(_ from: String, _ to: String, brokers: [String] = ["k:1"], topics: [String] = ["t"]) throws(CommandFailure) {
        var configuration = Configuration()
        configuration.kafka.brokers = brokers
        configuration.data = "/nowhere"
        _ = try ChangeRange(configuration, topics: topics, from: from, to: to, within: .seconds(1), now: now)
    }

    @Test("an impossible range is refused before anything is asked")
    func impossible() throws {
        for (from, to) in [("2h", "3h"), ("5", "5"), ("end", "end"), ("beginning", "beginning"), ("2999-01-01", "end")] {
            #expect { try range(from, to) } throws: { ($0 as? CommandFailure)?.kind == .usage }
        }
        #expect { try range("1h", "end", topics: []) } throws: { ($0 as? CommandFailure)?.kind == .usage }
        #expect { try range("1h", "end", brokers: []) } throws: { ($0 as? CommandFailure)?.kind == .unavailable }
        try range("1h", "end")
        try range("5", "2999-01-01")
    }

    @Test("topics are found by name or pattern, never the hub's own")
    func topics() throws {
        let existing = ["p.app.review", "p.app.grade", "hub.events", "hub.events.dlq", "__consumer_offsets"]
        func names(_ wanted: String...) throws(CommandFailure) -> [String] {
            try ChangeRange.topicNames(wanted, among: existing, without: ["hub.events", "hub.events.dlq"])
        }
        #expect(try names("p.app.review") == ["p.app.review"])
        #expect(try names(#"^p\.app\..*"#, "p.app.grade") == ["p.app.grade", "p.app.review"])
        #expect(try names("^.*") == ["p.app.grade", "p.app.review"])
        #expect(throws: CommandFailure(.unavailable, "there is no topic p.x; there are: p.app.grade, p.app.review")) { try names("p.x") }
        #expect(throws: CommandFailure(.unavailable, "no topic matches ^q")) { try names("^q") }
        #expect(throws: CommandFailure(.usage, "^( is not a regular expression")) { try names("^(") }
    }

    @Test("what is missing at the beginning is noted, and an empty range tells what there is")
    func judged() throws {
        let partition = TopicPartition("t", 0)
        func plan(_ kept: Range<Int64>, _ range: Range<Int64>, _ from: RangeBound) throws(CommandFailure) -> ChangeRange.Plan {
            try ChangeRange.judged([PartitionRange(partition, kept: kept, range: range)], from, .end)
        }
        #expect(try plan(0..<9, 2..<9, .offset(2)).notes.isEmpty)
        #expect(
            try plan(5..<9, 5..<9, .offset(2)).notes == [
                "t[0]: the records before offset 5 are not kept any more, so the range begins there"
            ])
        #expect(try plan(5..<9, 5..<9, .time(1)).notes.count == 1)
        #expect(try plan(0..<9, 0..<9, .time(1)).notes.isEmpty)
        #expect(throws: CommandFailure(.usage, "no record lies in the range; the records that are kept have the offsets t[0] 5 to 8")) {
            try plan(5..<9, 9..<9, .offset(9))
        }
        #expect(throws: CommandFailure(.usage, "the topics have no records: t")) { try plan(5..<5, 5..<5, .beginning) }
    }

    @Test("the report of a trial names what was compared")
    func report() throws {
        var comparison = RuleComparison()
        var effects = RecordEffects()
        effects.entries = [RecordEffects.Entry(rule: "a", id: "1", channel: "inbox:ann")]
        comparison.add(live: RecordEffects(), candidate: effects, at: 0)
        let plan = ChangeRange.Plan(ranges: [PartitionRange(TopicPartition("t", 0), kept: 0..<1, range: 0..<1)], notes: ["something"])
        let trial = RulesTrial(
            RulesTrial.Order(candidate: "new.yaml", live: nil), plan, comparison,
            newColumns: [RuleComparison.NewColumn(table: "app.t", column: "x", rule: "a")], isWhole: false, times: (0, 0),
            ruleCounts: RuleTally(live: 0, candidate: 1))
        #expect(
            trial.lines == [
                "1 record of t, 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:00.000Z", "note: something",
                "note: --limit 1000000 was reached, and the range has more records", "live: no rules: everything is new",
                "candidate: new.yaml (1 rules)", "", "RULE                    LIVE  CANDIDATE  DIFFERENCE",
                "a                          0          1          +1", "entries in all             0          1          +1",
                "retractions                0          0           0", "records with an effect     0          1          +1", "",
                "recipients: 0 live, 1 candidate; 1 would get more, 0 would get less", "would get more:",
                "  inbox:ann: 0 live, 1 candidate", "get the most by the candidate:", "  inbox:ann: 0 live, 1 candidate",
                "most in one hour, candidate: 1 for inbox:ann, 1970-01-01T00:00:00.000Z", "columns that newly leave:",
                "  app.t.x by rule a",
            ])
        #expect(trial.breaches.isEmpty)
    }
}

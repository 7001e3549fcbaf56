import ChangeCapture
import HangGuard
import JSON
import Messaging
import Testing

@testable import Rules

@Suite("What of a range is sent later", .guarded)
struct RuleReplayTests {
    /// Changes of one table, given to a replay of `review-open`.
    private struct Range {
        var reviews: Reviews
        let rules: RuleSet
        var replay = RuleReplay(rule: "review-open")
        var offset: Int64 = 0

        init() throws {
            rules = try RuleSet(parsing: reviewRules)
            reviews = Reviews(rules)
        }

        mutating func add(_ operation: String, before: String? = nil, after: String? = nil, id: Int = 7, isInRange: Bool = true) throws {
            try add(try reviews.change(operation, before: before, after: after, id: id), isInRange: isInRange)
        }

        mutating func add(_ change: RowChange, isInRange: Bool = true) throws {
            offset += 1
            replay.add(
                rules.outcome(of: change), of: CausingRow.text(of: change),
                at: ChangePosition(commit: 0, lsn: Int64(change.source.lsn ?? 0), time: Timestamp(milliseconds: 1)),
                in: RecordOrigin(topic: "t", partition: 0, offset: offset), isInRange: isInRange)
        }
    }

    private static let (open, done) = (Reviews.row("open"), Reviews.row("done"))

    @Test("an event of the range is left when its row is still in the state")
    func still() throws {
        var range = try Range()
        try range.add("c", after: Self.open)
        let event = try #require(range.replay.events.first)
        #expect(range.replay.made == 1 && range.replay.events.count == 1)
        #expect(event.row == "platform/app.review/{\"id\":7}" && event.source == "rule:review-open" && event.record.offset == 1)
        #expect(event.expiresAt == Int64(1_765_104_800_000))
        let record = EventRecord(
            topic: "hub.events", partition: 0, offset: 0, value: event.cloudEvent,
            headers: [EventRecord.Header("content-type", Array("application/cloudevents+json".utf8))])
        guard case .entries(let drafts) = EventDecoder().decode(record),
            case .entries(let original) = EventDecoder().decode(event.json, source: event.source, id: event.id)
        else {
            Issue.record("no entries")
            return
        }
        #expect(drafts.map(\.id) == original.map(\.id) && drafts.map(\.source) == original.map(\.source), "the same identity")
        #expect(drafts.map(\.content) == original.map(\.content) && drafts.map(\.channel) == original.map(\.channel))
        #expect(drafts[0].cause == Cause(row: event.row, rule: "review-open", change: nil))
    }

    @Test("a row that left the state, in the range or after it, notifies nobody", arguments: [true, false])
    func ended(inRange: Bool) throws {
        var range = try Range()
        try range.add("c", after: Self.open)
        try range.add("c", after: Reviews.row("open", id: 8), id: 8)
        try range.add("u", before: Self.open, after: Self.done, isInRange: inRange)
        try range.add("d", before: Reviews.row("open", id: 8), id: 8, isInRange: inRange)
        #expect((range.replay.made, range.replay.ended, range.replay.events.count) == (2, 2, 0))
    }

    @Test("the newest event of a row is the one that is sent; one after the range belongs to the hub")
    func replaced() throws {
        var range = try Range()
        try range.add("c", after: Self.open)
        try range.add("u", before: Self.open, after: Self.done)
        try range.add("u", before: Self.done, after: Self.open)
        #expect((range.replay.made, range.replay.ended, range.replay.events.map(\.record.offset)) == (2, 1, [3]))
        try range.add("u", before: Self.done, after: Self.open, isInRange: false)
        #expect((range.replay.made, range.replay.replaced, range.replay.events.count) == (2, 1, 0))
    }

    @Test("a change that the connector sends again, also an older one, has no effect")
    func repeated() throws {
        var range = try Range()
        let inserted = try range.reviews.change("c", before: nil, after: Self.open)
        let ended = try range.reviews.change("u", before: Self.open, after: Self.done)
        for change in [inserted, ended, inserted, ended] { try range.add(change) }
        #expect((range.replay.made, range.replay.ended, range.replay.repeated, range.replay.events.count) == (1, 1, 2, 0))
    }

    @Test("other rules and their failures do not count; the rule's own make its rows uncertain")
    func failures() throws {
        var range = try Range()
        try range.add("c", after: Self.open)
        try range.add("u", before: Self.open, after: Reviews.row("late", reviewer: nil), id: 9)
        #expect(range.replay.events.count == 1 && range.replay.failures.count == 0)
        var outcome = RuleOutcome()
        outcome.failures = [RuleFailure(rule: "review-open", detail: "title: column title is null")]
        func add(_ lsn: Int64, isInRange: Bool) {
            range.replay.add(
                outcome, of: "platform/app.review/{\"id\":7}", at: ChangePosition(commit: 0, lsn: lsn, time: Timestamp(milliseconds: 1)),
                in: RecordOrigin(topic: "t", partition: 0, offset: 9), isInRange: isInRange)
        }
        add(9_000, isInRange: true)
        #expect((range.replay.uncertain, range.replay.events.count, range.replay.failures.count) == (1, 0, 1))
        add(9_008, isInRange: false)
        #expect(range.replay.failures.count == 1 && range.replay.failures.example == "title: column title is null")
    }

    @Test("a table without a key: each change is an event of its own, once")
    func keyless() throws {
        var replay = RuleReplay(rule: "r")
        for (id, isInRange) in [("1", true), ("2", true), ("2", true), ("3", false)] {
            var outcome = RuleOutcome()
            outcome.events = [RuleEvent(row: "", rule: "r", id: id, json: Array(#"{"type":"t","to":["user:a"]}"#.utf8))]
            replay.add(
                outcome, of: nil, at: ChangePosition(commit: 0, lsn: Int64(id) ?? 0, time: Timestamp(milliseconds: 0)),
                in: RecordOrigin(topic: "t", partition: 0, offset: 0), isInRange: isInRange)
        }
        #expect(replay.events.map(\.id) == ["1", "2"] && replay.made == 2 && replay.repeated == 1)
        #expect(!String(decoding: replay.events[0].cloudEvent, as: UTF8.self).contains("hubrow"))
    }
}

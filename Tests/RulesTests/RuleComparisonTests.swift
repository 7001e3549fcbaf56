import HangGuard
import Testing

@testable import Rules

@Suite("What two rule sets make of the same records", .guarded)
struct RuleComparisonTests {
    private func effects(_ entries: (String, String, String)..., retractions: Int = 0) -> RecordEffects {
        var effects = RecordEffects()
        effects.entries = entries.map { RecordEffects.Entry(rule: $0.0, id: $0.1, channel: $0.2) }
        effects.retractions = retractions
        return effects
    }

    private let hour: Int64 = 3_600_000

    @Test("entries are counted by rule, by recipient and by side")
    func counts() {
        var comparison = RuleComparison()
        comparison.add(live: effects(("a", "1", "inbox:ann")), candidate: effects(("a", "1", "inbox:ann"), ("b", "1", "inbox:bob")), at: 0)
        comparison.add(live: effects(("a", "2", "inbox:ann"), retractions: 1), candidate: effects(retractions: 2), at: 1)
        comparison.add(live: effects(), candidate: effects(), at: nil)
        #expect(comparison.records == 3 && comparison.matched == RuleTally(live: 2, candidate: 2))
        #expect(comparison.entries == RuleTally(live: 2, candidate: 2) && comparison.retractions == RuleTally(live: 1, candidate: 2))
        #expect(comparison.rules == ["a": RuleTally(live: 2, candidate: 1), "b": RuleTally(live: 0, candidate: 1)])
        #expect(comparison.changedRecipients == (1, 1))
        #expect(comparison.recipientCount == RuleTally(live: 1, candidate: 2))
        #expect(comparison.gaining(5).map(\.channel) == ["inbox:bob"] && comparison.losing(5).map(\.channel) == ["inbox:ann"])
        #expect(comparison.top(1).map(\.channel) == ["inbox:ann"], "of equal ones the first by name")
    }

    @Test("a change that comes again counts once, and once more when it was forgotten")
    func repeats() {
        var comparison = RuleComparison()
        for _ in 0..<2 { comparison.add(live: effects(("a", "1", "inbox:ann")), candidate: effects(("a", "1", "inbox:ann")), at: 0) }
        #expect(comparison.entries == RuleTally(live: 1, candidate: 1) && comparison.repeated == RuleTally(live: 1, candidate: 1))
        for number in 2..<(RuleComparison.mostRecent + 2) {
            comparison.add(live: effects(("a", String(number), "inbox:ann")), candidate: effects(), at: nil)
        }
        comparison.add(live: effects(("a", "1", "inbox:ann")), candidate: effects(), at: nil)
        #expect(comparison.entries.live == RuleComparison.mostRecent + 2)
    }

    @Test("the busiest hour is that of one recipient, also before 1970")
    func hours() {
        var comparison = RuleComparison()
        for (index, time) in [0, 1, hour, -1, -2, -3].enumerated() {
            comparison.add(live: effects(), candidate: effects(("a", String(index), "inbox:ann")), at: time)
        }
        for index in 0..<9 { comparison.add(live: effects(), candidate: effects(("b", String(index), "broadcast:all")), at: 0) }
        #expect(comparison.busiestHour(.candidate) == RuleComparison.BusyHour(channel: "broadcast:all", hour: 0, count: 9))
        #expect(comparison.busiestHour(.live) == nil)
        var limits = RuleComparison.Limits()
        limits.perPersonAndHour = 2
        #expect(
            comparison.breaches(of: limits, newColumns: [], isWhole: true)
                == ["inbox:ann would get 3 entries in one hour, more than 2; so it is in 1 hours of people"], "a broadcast is no person")
        limits.perPersonAndHour = 3
        #expect(comparison.breaches(of: limits, newColumns: [], isWhole: true).isEmpty)
    }

    @Test("faults are told with one example each, undecided rules by their names")
    func faults() {
        var (comparison, bad) = (RuleComparison(), RecordEffects())
        bad.failures = [RuleFailure(rule: "a", detail: "title: column x is null")]
        bad.undecided = ["b"]
        comparison.add(live: RecordEffects(), candidate: bad, at: 0)
        comparison.add(live: bad, candidate: bad, at: 0)
        var unread = RecordEffects()
        unread.rejection = RecordEffects.Rejection(reason: "not-json", detail: "value")
        comparison.add(live: unread, candidate: unread, at: 0)
        #expect(comparison.failures["a"]?.count == RuleTally(live: 1, candidate: 2))
        #expect(comparison.undecided == ["b": RuleTally(live: 1, candidate: 2)])
        #expect(comparison.rejections["not-json"]?.example == "value")
        var limits = RuleComparison.Limits()
        limits.refusesFailures = true
        #expect(
            comparison.breaches(of: limits, newColumns: [], isWhole: true) == [
                "rule a would fail for 2 records: title: column x is null"
            ])
        for number in 0...RuleComparison.mostFailures {
            var failing = RecordEffects()
            failing.failures = [RuleFailure(rule: "f\(number)", detail: "")]
            comparison.add(live: RecordEffects(), candidate: failing, at: 0)
        }
        #expect(comparison.failures.count == RuleComparison.mostFailures && comparison.uncounted == 2)
    }

    @Test("growth, new columns and a range that was not read refuse")
    func limits() throws {
        var comparison = RuleComparison()
        for number in 0..<10 {
            comparison.add(
                live: effects(("a", String(number), "inbox:ann")),
                candidate: effects(("a", String(number), "inbox:ann"), ("b", String(number), "inbox:bob")), at: 0)
        }
        var limits = RuleComparison.Limits()
        #expect(comparison.breaches(of: limits, newColumns: [], isWhole: false).isEmpty, "without limits nothing is refused")
        limits.growthPercent = 100
        #expect(comparison.breaches(of: limits, newColumns: [], isWhole: true).isEmpty)
        #expect(comparison.breaches(of: limits, newColumns: [], isWhole: false).count == 1)
        limits.growthPercent = 99
        #expect(comparison.breaches(of: limits, newColumns: [], isWhole: true) == ["20 entries instead of 10: more than 99 % more"])
        func rules(_ title: String) throws -> RuleSet {
            try RuleSet(parsing: "version: 1\nrules: [{ name: a, table: app.t, to: \"user:{u}\", type: t, title: \"\(title)\" }]")
        }
        let columns = try RuleComparison.newColumns(live: rules("{name}"), candidate: rules("{name} {mark}"))
        #expect(columns == [RuleComparison.NewColumn(table: "app.t", column: "mark", rule: "a")])
        #expect(try RuleComparison.newColumns(live: .empty, candidate: rules("x")).map(\.column) == ["u"])
        limits = RuleComparison.Limits()
        limits.refusesNewColumns = true
        #expect(comparison.breaches(of: limits, newColumns: columns, isWhole: true) == ["columns would newly leave: app.t.mark (rule a)"])
    }
}

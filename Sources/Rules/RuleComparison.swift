internal import ChangeCapture

/// Compares what two rule sets make of the same records. Nothing is sent; what it keeps is bounded, and what exceeds a bound is counted.
public struct RuleComparison: Sendable {
    /// Recipients that are told apart; the entries of others are counted only in total.
    public static let mostRecipients = 500_000
    /// Hours of recipients, likewise.
    public static let mostHours = 2_000_000
    /// Entries that are recognized when they come again. A connector repeats what it sent in the last seconds before a crash.
    public static let mostRecent = 200_000
    /// Different failures that are told.
    public static let mostFailures = 200

    /// A fault in records or rules, with one of its texts.
    public struct Fault: Equatable, Sendable {
        /// The rule, or the reason of the decoder.
        public let name: String
        public let example: String
        public var count: RuleTally
    }

    /// What one recipient got in one hour.
    public struct BusyHour: Equatable, Sendable {
        public let channel: String
        /// Hours since 1970.
        public let hour: Int64
        public let count: Int
    }

    public private(set) var records = 0
    /// Records of which a rule made or retracted something.
    public private(set) var matched = RuleTally()
    public private(set) var entries = RuleTally()
    public private(set) var retractions = RuleTally()
    /// Entries that came again, and were not counted again.
    public private(set) var repeated = RuleTally()
    public private(set) var rules: [String: RuleTally] = [:]
    /// Records that no rule can read, by reason; the same for both sides.
    public private(set) var rejections: [String: Fault] = [:]
    public private(set) var failures: [String: Fault] = [:]
    public private(set) var undecided: [String: RuleTally] = [:]
    /// Entries whose recipient, hour or failure was beyond a bound.
    public private(set) var uncounted = 0
    private var recipients = Recipients()
    private var recent = [RuleSide.live: Recent(), .candidate: Recent()]

    public init() {}

    /// - Parameter time: milliseconds since 1970; nil: the record has none, and counts for no hour.
    public mutating func add(live: RecordEffects, candidate: RecordEffects, at time: Int64?) {
        records += 1
        let hour = time.map { Int64((Double($0) / 3_600_000).rounded(.down)) }
        for (side, effects) in [(RuleSide.live, live), (.candidate, candidate)] {
            let path = side.path
            if effects.hasEffect { matched[keyPath: path] += 1 }
            retractions[keyPath: path] += effects.retractions
            for entry in effects.entries {
                guard recent[side]?.insert(entry) ?? true else {
                    repeated[keyPath: path] += 1
                    continue
                }
                entries[keyPath: path] += 1
                rules[entry.rule, default: RuleTally()][keyPath: path] += 1
                if !recipients.count(entry.channel, hour, side) { uncounted += 1 }
            }
            for failure in effects.failures where !Self.note(failure.rule, failure.detail, &failures, path) { uncounted += 1 }
            for rule in effects.undecided { undecided[rule, default: RuleTally()][keyPath: path] += 1 }
            if let rejection = effects.rejection, !Self.note(rejection.reason, rejection.detail, &rejections, path) { uncounted += 1 }
        }
    }

    /// False: beyond the bound.
    private static func note(
        _ name: String, _ example: String, _ faults: inout [String: Fault], _ path: WritableKeyPath<RuleTally, Int>
    ) -> Bool {
        guard faults[name] != nil || faults.count < mostFailures else { return false }
        faults[name, default: Fault(name: name, example: example, count: RuleTally())].count[keyPath: path] += 1
        return true
    }

    // MARK: Results

    /// Recipients who would get more, and who would get less.
    public var changedRecipients: (more: Int, less: Int) {
        recipients.tallies.reduce(into: (0, 0)) { sum, tally in
            if tally.difference > 0 { sum.0 += 1 }
            if tally.difference < 0 { sum.1 += 1 }
        }
    }

    /// Recipients with at least one entry.
    public var recipientCount: RuleTally {
        recipients.tallies.reduce(into: RuleTally()) { sum, tally in
            if tally.live > 0 { sum.live += 1 }
            if tally.candidate > 0 { sum.candidate += 1 }
        }
    }

    /// Those who would get the most, by the candidate.
    public func top(_ count: Int) -> [(channel: String, tally: RuleTally)] {
        recipients.first(count) { -$0.candidate }.filter { $0.tally.candidate > 0 }
    }

    public func gaining(_ count: Int) -> [(channel: String, tally: RuleTally)] {
        recipients.first(count) { -$0.difference }.filter { $0.tally.difference > 0 }
    }

    public func losing(_ count: Int) -> [(channel: String, tally: RuleTally)] {
        recipients.first(count) { $0.difference }.filter { $0.tally.difference < 0 }
    }

    /// The hour in which one recipient got the most.
    public func busiestHour(_ side: RuleSide) -> BusyHour? { recipients.busiest(side) }

    /// Hours of inboxes in which the candidate makes more entries than this.
    public func hours(above most: Int) -> Int { recipients.hours(above: most) }

    /// Columns that leave by the candidate's rules of a table, and by no rule in use.
    public static func newColumns(live: RuleSet, candidate: RuleSet) -> [NewColumn] {
        var known: [TableName: Set<String>] = [:]
        for rule in live.rules { known[rule.table, default: []].formUnion(rule.leavingColumns) }
        return candidate.rules.flatMap { rule in
            rule.leavingColumns.filter { known[rule.table]?.contains($0) != true }
                .map { NewColumn(table: rule.table.description, column: $0, rule: rule.name) }
        }
    }

    public struct NewColumn: Equatable, Sendable {
        public let table: String
        public let column: String
        public let rule: String
    }

    // MARK: Limits

    /// What a candidate may do; nil: any number.
    public struct Limits: Equatable, Sendable {
        public var perPersonAndHour: Int?
        /// Entries more than by the rules in use, in percent of these.
        public var growthPercent: Int?
        public var refusesNewColumns = false
        /// A rule of the candidate failed for a record for which none of the rules in use failed.
        public var refusesFailures = false

        public init() {}

        public var isEmpty: Bool { self == Limits() }
    }

    /// Why the candidate is beyond the limits; empty when it is not.
    /// - Parameter isWhole: the range was read to its end.
    public func breaches(of limits: Limits, newColumns: [NewColumn], isWhole: Bool) -> [String] {
        var breaches: [String] = []
        if let most = limits.perPersonAndHour, let busiest = recipients.busiestInbox, busiest.count > most {
            let others = hours(above: most)
            breaches.append(
                "\(busiest.channel) would get \(busiest.count) entries in one hour, more than \(most); so it is in \(others) hours of people"
            )
        }
        if let percent = limits.growthPercent {
            let most = Double(entries.live) * (1 + Double(percent) / 100)
            if Double(entries.candidate) > most {
                breaches.append(
                    "\(entries.candidate) entries instead of \(entries.live): more than \(percent) % more")
            }
        }
        if limits.refusesNewColumns, !newColumns.isEmpty {
            let names = newColumns.prefix(5).map { "\($0.table).\($0.column) (rule \($0.rule))" }.joined(separator: ", ")
            breaches.append("columns would newly leave: \(names)" + (newColumns.count > 5 ? ", and \(newColumns.count - 5) more" : ""))
        }
        if limits.refusesFailures {
            for fault in failures.values.sorted(by: { $0.name < $1.name }) where fault.count.difference > 0 {
                breaches.append("rule \(fault.name) would fail for \(fault.count.candidate) records: \(fault.example)")
            }
        }
        if !limits.isEmpty, !isWhole { breaches.append("the range was not read to its end, so the limits cannot be judged: raise --limit") }
        if !limits.isEmpty, uncounted > 0 {
            breaches.append("\(uncounted) entries were beyond what the comparison keeps: use a shorter range")
        }
        return breaches
    }
}

/// Entries seen lately, the oldest forgotten first.
private struct Recent: Sendable {
    private var known: Set<RecordEffects.Entry> = []
    private var order: [RecordEffects.Entry] = []
    private var oldest = 0

    /// False: it was there.
    mutating func insert(_ entry: RecordEffects.Entry) -> Bool {
        guard known.insert(entry).inserted else { return false }
        if order.count < RuleComparison.mostRecent {
            order.append(entry)
        } else {
            known.remove(order[oldest])
            order[oldest] = entry
            oldest = (oldest + 1) % order.count
        }
        return true
    }
}

/// How much each recipient gets, in total and by hour.
private struct Recipients: Sendable {
    private struct Hour: Hashable {
        let recipient: Int32
        let hour: Int64
    }

    private var indices: [String: Int] = [:]
    private var channels: [String] = []
    private(set) var tallies: [RuleTally] = []
    private var hours: [Hour: RuleTally] = [:]

    /// False: beyond a bound, and so not counted here.
    mutating func count(_ channel: String, _ hour: Int64?, _ side: RuleSide) -> Bool {
        let index: Int
        if let known = indices[channel] {
            index = known
        } else {
            guard channels.count < RuleComparison.mostRecipients else { return false }
            index = channels.count
            indices[channel] = index
            channels.append(channel)
            tallies.append(RuleTally())
        }
        tallies[index][keyPath: side.path] += 1
        guard let hour else { return true }
        let key = Hour(recipient: Int32(index), hour: hour)
        guard hours[key] != nil || hours.count < RuleComparison.mostHours else { return false }
        hours[key, default: RuleTally()][keyPath: side.path] += 1
        return true
    }

    func first(_ count: Int, by rank: (RuleTally) -> Int) -> [(channel: String, tally: RuleTally)] {
        tallies.indices.sorted { (rank(tallies[$0]), channels[$0]) < (rank(tallies[$1]), channels[$1]) }.prefix(count)
            .map { (channels[$0], tallies[$0]) }
    }

    func busiest(_ side: RuleSide) -> RuleComparison.BusyHour? { busiest(side) { _ in true } }
    var busiestInbox: RuleComparison.BusyHour? { busiest(.candidate) { $0.hasPrefix("inbox:") } }

    private func busiest(_ side: RuleSide, where isCounted: (String) -> Bool) -> RuleComparison.BusyHour? {
        let found = hours.filter { isCounted(channels[Int($0.key.recipient)]) }.max { a, b in
            let (first, second) = (a.value[keyPath: side.path], b.value[keyPath: side.path])
            // Of equal ones the first hour and name, so that two runs tell the same.
            if first != second { return first < second }
            return a.key.hour != b.key.hour ? a.key.hour > b.key.hour : channels[Int(a.key.recipient)] > channels[Int(b.key.recipient)]
        }
        guard let (key, tally) = found, tally[keyPath: side.path] > 0 else { return nil }
        return RuleComparison.BusyHour(channel: channels[Int(key.recipient)], hour: key.hour, count: tally[keyPath: side.path])
    }

    func hours(above most: Int) -> Int {
        hours.count { $0.value.candidate > most && channels[Int($0.key.recipient)].hasPrefix("inbox:") }
    }
}

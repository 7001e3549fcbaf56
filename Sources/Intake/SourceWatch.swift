import Kafka
import Linux
import Messaging

/// What this hub knows of the sources of changes (connectors), and tells the others of its group. A machine: time and partitions are arguments.
///
/// A source is silent when no hub of the group heard it for `silentAfter`. The database judges that, by its own clock, when the hub that has the
/// source's partition says that nothing more is to be read there. So records that wait (a paused intake, a partition that another hub is about
/// to get, a hub that was away) raise no alarm.
struct SourceWatch {
    struct Limits: Equatable, Sendable {
        var silentAfter: Duration
        var interval: Duration = .seconds(1)
        /// After an outage of the brokers or the database, what Kafka has needs this long to come.
        var settling: Duration = .seconds(5)
        /// Other sources are not watched.
        var sources = 100
    }

    enum Finding: Equatable {
        case began(SourceState)
        /// It was heard again.
        case ended(SourceState, after: Duration)
        case forgotten(name: String)
        case tooMany(name: String)
    }

    private let limits: Limits
    private let group: String
    /// Heard, and not told to the database yet.
    private var heard: [String: HeardSource] = [:]
    private var asked: [String: HeardSource]?
    private var lastHeard: [String: MonotonicInstant] = [:]
    private(set) var known: [SourceState] = []
    private var answeredAt: MonotonicInstant?
    /// Partitions of which the client has told the end or a record since this hub has them: their end is known.
    private var reached: Set<TopicPartition> = []
    private var settledAt: MonotonicInstant
    private var nextReport: MonotonicInstant
    private var lastLook: MonotonicInstant
    private var hasTooMany = false

    init(_ limits: Limits, group: String, now: MonotonicInstant) {
        self.limits = limits
        self.group = group
        settledAt = now
        nextReport = now
        lastLook = now
    }

    mutating func hear(_ name: String, isHeartbeat: Bool, on partition: TopicPartition, now: MonotonicInstant) -> Finding? {
        guard (1...255).contains(name.utf8.count) else { return nil }
        if lastHeard[name] == nil, lastHeard.count >= limits.sources {
            defer { hasTooMany = true }
            return hasTooMany ? nil : .tooMany(name: name)
        }
        lastHeard[name] = now
        // A heartbeat's partition tells more than that of a table, which may rest.
        if heard[name]?.isHeartbeat == true, !isHeartbeat { return nil }
        heard[name] = HeardSource(name: name, topic: partition.topic, partition: partition.partition, isHeartbeat: isHeartbeat)
        return nil
    }

    mutating func reach(_ partition: TopicPartition) { reached.insert(partition) }

    mutating func forget(_ partitions: some Sequence<TopicPartition>) { reached.subtract(partitions) }

    /// The brokers or the database were away, or are another database.
    mutating func unsettle(now: MonotonicInstant) { settledAt = max(settledAt, now + limits.settling) }

    /// - Parameters:
    ///   - held: the partitions of this hub.
    ///   - isReading: records are taken from Kafka and stored.
    ///   - lag: what is not stored of a partition; nil: not known.
    /// - Returns: nil when it is too early, or the last report has no answer yet.
    mutating func report(
        held: Set<TopicPartition>, isReading: Bool, lag: (TopicPartition) -> Int64?, now: MonotonicInstant
    ) -> SourceReport? {
        // The process stood still: what came meanwhile was not read yet.
        if now - lastLook > limits.interval * 3 { unsettle(now: now) }
        lastLook = now
        guard asked == nil, now >= nextReport else { return nil }
        nextReport = now + limits.interval
        let isSettled = isReading && now >= settledAt
        let behind = held.filter { !isSettled || !reached.contains($0) || lag($0) != 0 }
        let topicsBehind = Set(behind.map(\.topic))
        var (read, waiting): ([String], [String]) = ([], [])
        for state in known where heard[state.name] == nil {
            if topicsBehind.contains(where: { state.owns($0) }) {
                waiting.append(state.name)
            } else if held.contains(state.place), lastHeard[state.name].map({ now - $0 >= limits.silentAfter }) ?? true {
                read.append(state.name)
            }
        }
        asked = heard
        heard = [:]
        return SourceReport(
            group: group, heard: (asked ?? [:]).values.sorted { $0.name < $1.name }, read: read, waiting: waiting,
            silentAfter: limits.silentAfter)
    }

    /// The store did not take the report, or did not carry it out: it is told again.
    mutating func notAnswered() {
        for (name, source) in asked ?? [:] where heard[name]?.isHeartbeat != true { heard[name] = source }
        asked = nil
    }

    mutating func answered(_ states: [SourceState], now: MonotonicInstant) -> [Finding] {
        asked = nil
        let before = Dictionary(known.map { ($0.name, $0) }) { first, _ in first }
        known = states
        answeredAt = now
        var findings: [Finding] = []
        for state in states {
            switch (before[state.name]?.silence, state.silence) {
            case (nil, .some): findings.append(.began(state))
            case (let silence?, nil): findings.append(.ended(state, after: silence))
            case (.some, .some), (nil, nil): break
            }
        }
        let names = Set(states.map(\.name))
        for state in before.values.sorted(by: { $0.name < $1.name }) where !names.contains(state.name) {
            lastHeard[state.name] = nil
            findings.append(.forgotten(name: state.name))
        }
        return findings
    }

    /// By name, as far as it is known. Grows also while the database is away.
    func ages(now: MonotonicInstant) -> [(name: String, age: Duration, isSilent: Bool)] {
        let since = answeredAt.map { now - $0 } ?? .zero
        return known.map { ($0.name, $0.age + since, $0.silence != nil) }
    }
}

extension SourceState {
    var place: TopicPartition { TopicPartition(topic, partition) }

    /// By Debezium's names of topics: `<topic.prefix>.<schema>.<table>`.
    func owns(_ topic: String) -> Bool { topic == self.topic || topic.hasPrefix(name + ".") }
}

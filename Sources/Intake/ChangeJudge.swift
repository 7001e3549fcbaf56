import ChangeCapture
import Kafka
import Messaging
import Rules

/// Decides what is to be done with records of change data capture, by the rules. Its decoder remembers the schemas that it has read; apart from
/// that a record that is read twice gets the same judgement.
struct ChangeJudge {
    /// What the rules made of a record, for counting.
    struct Findings: Equatable {
        var events = 0
        var retractions = 0
        var failures: [RuleFailure] = []
        var undecided: [String] = []
        /// Which source of changes the record shows to be alive.
        var source: Source?

        var hasNoEffect: Bool { events == 0 && retractions == 0 && failures.isEmpty && undecided.isEmpty }
    }

    /// A connector, by its `topic.prefix`.
    struct Source: Equatable {
        let name: String
        let isHeartbeat: Bool
    }

    private let events: EventDecoder
    private let platform: PlatformEvents
    private var decoder: ChangeDecoder
    private var rules: RuleSet

    init(events: EventDecoder, rules: RuleSet = .empty, platform: PlatformEvents = PlatformEvents()) {
        self.events = events
        self.rules = rules
        self.platform = platform
        decoder = ChangeDecoder(rules.changes)
    }

    mutating func use(_ rules: RuleSet) { self = ChangeJudge(events: events, rules: rules, platform: platform) }

    private mutating func decode(_ record: KafkaRecord) -> Change {
        decoder.decode(
            ChangeRecord(
                topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp, key: record.key,
                value: record.value, headers: record.headers.map { ChangeRecord.Header($0.name, $0.value) }))
    }

    /// The outcome of the rules themselves, before their events are decoded; nil for a record that is no change of a row.
    mutating func outcome(of record: KafkaRecord) -> (RowChange, RuleOutcome)? {
        guard case .row(let change) = decode(record) else { return nil }
        return (change, rules.outcome(of: change))
    }

    mutating func judge(_ record: KafkaRecord) -> (JudgedRecord, Findings) {
        let change = decode(record)
        let judged: JudgedRecord
        var findings: Findings
        (judged, findings) = judge(change, record)
        findings.source = source(of: change, record.topic)
        return (judged, findings)
    }

    private func source(of change: Change, _ topic: String) -> Source? {
        switch change {
        case .row(let change): Source(change.source)
        case .truncate(let truncate): Source(truncate.source)
        case .message(let message): Source(message.source)
        case .heartbeat(let heartbeat):
            Source(
                name: heartbeat.server ?? String(topic.dropFirst(rules.changes.heartbeatTopicPrefix.count + 1)), isHeartbeat: true)
        case .transaction, .tombstone, .ignored, .outbox, .platform, .notice, .rejected: nil
        }
    }

    private func judge(_ change: Change, _ record: KafkaRecord) -> (JudgedRecord, Findings) {
        switch change {
        case .row(let change): return judge(change, record)
        case .outbox(let event):
            guard let payload = event.payload else {
                return (JudgedRecord(record: record, judgement: .discarded("empty_outbox")), Findings())
            }
            let decoded = events.decode(Array(payload.utf8), source: "outbox:" + event.aggregateType, id: event.id, from: record.origin)
            return (JudgedRecord(record, decoded), Findings())
        case .message(let message) where message.prefix == Self.messagePrefix:
            guard let id = message.id else { return (.dead(record, "no_identity", "the message has no position in the log"), Findings()) }
            let decoded = events.decode(
                message.content, source: "message:" + message.source.database, id: id.description, from: record.origin)
            return (JudgedRecord(record, decoded), Findings())
        case .message: return (JudgedRecord(record: record, judgement: .discarded("other_message")), Findings())
        case .truncate: return (JudgedRecord(record: record, judgement: .discarded("truncate")), Findings())
        case .transaction: return (JudgedRecord(record: record, judgement: .discarded("transaction")), Findings())
        case .heartbeat: return (JudgedRecord(record: record, judgement: .discarded("heartbeat")), Findings())
        case .tombstone: return (JudgedRecord(record: record, judgement: .discarded("tombstone")), Findings())
        case .ignored(let kind): return (JudgedRecord(record: record, judgement: .discarded(kind.rawValue)), Findings())
        case .platform(let planned): return (platform.event(of: planned).judged(record, by: events), Findings())
        case .notice(let notice): return (platform.event(of: notice, in: record).judged(record, by: events), Findings())
        case .rejected(let rejection): return (.dead(record, rejection.reason.rawValue, rejection.detail), Findings())
        }
    }

    /// The prefix of `pg_logical_emit_message` for the hub's own events.
    static let messagePrefix = "hub"

    private func judge(_ change: RowChange, _ record: KafkaRecord) -> (JudgedRecord, Findings) {
        let outcome = rules.outcome(of: change)
        var findings = Findings(
            events: 0, retractions: outcome.retractions.count, failures: outcome.failures, undecided: outcome.undecided)
        guard !outcome.events.isEmpty || !outcome.retractions.isEmpty || !outcome.failures.isEmpty || !outcome.access.isEmpty else {
            let isOfSnapshot = change.operation == .snapshotRead || change.operation == .incrementalSnapshotRead
            return (JudgedRecord(record: record, judgement: .discarded(isOfSnapshot ? "snapshot" : "no_rule")), findings)
        }
        guard let position = change.source.position else {
            return (.dead(record, "no_identity", "the change has no LSN, so it could not be recognized when it is sent again"), findings)
        }
        let retractions = outcome.retractions.map {
            Retraction(.cause(row: $0.row, rule: $0.rule), origin: $0.row, change: position, after: 0)
        }
        var drafts: [EntryDraft] = []
        var failures = outcome.failures
        var targets: [String] = []
        for event in outcome.events {
            let cause = Cause(row: event.row, rule: event.rule, change: position)
            var made: [EntryDraft] = []
            switch events.decode(event.json, source: "rule:" + event.rule, id: event.id, from: record.origin) {
            case .entries(let drafts): made = drafts
            case .partly(let drafts, let rejection):
                made = drafts
                failures.append(RuleFailure(rule: event.rule, detail: rejection.detail))
                targets += rejection.targets
            case .rejected(let rejection): failures.append(RuleFailure(rule: event.rule, detail: rejection.detail))
            case .discard, .retracting: failures.append(RuleFailure(rule: event.rule, detail: "the event makes no entry"))
            }
            // A row without a key cannot be found again.
            if !event.row.isEmpty { for index in made.indices { made[index].cause = cause } }
            drafts += made
        }
        var access: [AccessChange] = []
        for right in outcome.access {
            let grant = right.grant.flatMap { AccessChange.Grant($0) }
            if right.grant != nil, grant == nil {
                failures.append(RuleFailure(rule: right.rule, detail: "the row names no user or no broadcast"))
            }
            // What the row granted before must not stay, also when it cannot be used now.
            access.append(AccessChange(row: right.row, rule: right.rule, change: position, grant: grant))
        }
        findings.events = outcome.events.count
        findings.failures = failures
        let failure = failures.first.map { first in
            DeathCause(
                reason: "rule_failed",
                detail: failures.count == 1
                    ? "rule \(first.rule): \(first.detail)" : "rule \(first.rule): \(first.detail); and \(failures.count - 1) more",
                targets: targets)
        }
        let judgement: JudgedRecord.Judgement
        switch (failure, drafts.isEmpty && retractions.isEmpty && access.isEmpty) {
        case (let failure?, true): judgement = .dead(failure)
        case (let failure?, false): judgement = .partly(drafts, failure)
        case (nil, _): judgement = .entries(drafts)
        }
        return (JudgedRecord(record: record, judgement: judgement, taking: retractions, access: access), findings)
    }
}

extension AccessChange.Grant {
    /// Nil when the row names no user or no broadcast.
    fileprivate init?(_ grant: RuleAccess.Grant) {
        guard let user = UserID(grant.user), let channel = Channel(wireName: grant.channel, for: user) else { return nil }
        self.init(
            user: user, channel: channel, from: grant.from.map { Timestamp(milliseconds: $0) },
            until: grant.until.map { Timestamp(milliseconds: $0) })
    }
}

extension KafkaRecord {
    var origin: RecordOrigin { RecordOrigin(topic: topic, partition: partition, offset: offset) }
}

extension ChangeJudge.Source {
    /// Nil for a flattened row, which does not name its connector.
    fileprivate init?(_ source: ChangeSource) {
        guard !source.name.isEmpty else { return nil }
        self.init(name: source.name, isHeartbeat: false)
    }
}

extension ChangeSource {
    /// Nil without an LSN. `sequence` is a JSON array as text, `["<last commit>","<this>"]`, whose first element is null at the start.
    var position: ChangePosition? {
        guard let lsn = lsn.flatMap({ Int64(exactly: $0) }) else { return nil }
        let digits = (sequence ?? "").drop { $0 != "\"" }.dropFirst().prefix { $0 != "\"" }
        let isFirstNull = (sequence ?? "").contains("[null")
        return ChangePosition(
            commit: isFirstNull ? 0 : Int64(digits) ?? 0, lsn: lsn,
            time: Timestamp(milliseconds: (committedAt ?? 0) / 1_000))
    }
}

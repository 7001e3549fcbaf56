import Kafka
import Messaging
import Pacing

/// Decides when records go to the store, when offsets are committed and when reading pauses. A machine: it knows neither Kafka's client
/// nor the store.
///
/// Records go to the store in the order they were read, one request at a time, while the next batch gathers behind it. So a retry
/// cannot be overtaken. Invariant: an offset becomes committable only when every record before it in its partition,
/// since the partition was assigned, is stored, discarded or written to the dead-letter topic.
/// More than twelve stored properties: the batch, the partitions, and the states of storing, dead-lettering and returning.
package struct IntakeFlow {
    enum Step: Equatable {
        case idle
        case storing(token: UInt64)
        case deadLettering
        case backingOff
    }

    private let limits: Limits
    private let group: String
    var ledger = OffsetLedger()
    private var gathered = GatheredRecords()
    /// The current batch in order, cut where a request got too large or was refused. The first segment is in flight.
    var segments: [[JudgedRecord]] = []
    var step = Step.idle
    var letters = OpenLetters()
    var lastToken: UInt64 = 0
    var backoff: Backoff
    private var size: RequestSize
    private var ticksWaited = 0
    var check = StoreCheck()
    /// How often in a row another hub had the partitions.
    var contests = 0
    var isStopping = false
    private(set) var isPaused = false

    /// - Parameter group: the consumer group.
    init(limits: Limits, group: String) {
        self.limits = limits
        self.group = group
        backoff = Backoff(first: limits.firstDelay, longest: limits.longestDelay, jitter: .none)
        size = RequestSize(limits)
    }

    /// Whether records may be read.
    var hasRoom: Bool { gathered.records.count < limits.gatheredRecords && gathered.bytes < limits.gatheredBytes }
    var roomRecords: Int { max(1, limits.gatheredRecords - gathered.records.count) }
    var roomBytes: Int { max(1, limits.gatheredBytes - gathered.bytes) }
    var held: Set<TopicPartition> { ledger.held }
    /// Neither the store nor the dead-letter topic is about to answer.
    var isQuiet: Bool {
        switch step {
        case .idle, .backingOff: true
        case .storing, .deadLettering: false
        }
    }
    func next(of partition: TopicPartition) -> Int64? { ledger.next(of: partition) }

    mutating func handle(_ event: Event) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .assigned(let partitions, let committed):
            ledger.hold(partitions, committed: committed)
            if isPaused, !partitions.isEmpty { actions.append(.pause(partitions)) }
            if !committed.isEmpty { check.isDue = true }
        case .revoking(let partitions):
            ledger.releasing += partitions
            gathered.remove(Set(partitions))
            release(&actions)
        case .lost(let partitions):
            ledger.releasing.removeAll { partitions.contains($0) }
            drop(partitions)
        case .read(let records):
            gathered.append(ledger.returning.isEmpty ? records : records.filter { ledger.returning[$0.partition] == nil })
        case .storeConnected: check.isDue = true
        case .sought(let partitions): ledger.returned(partitions)
        case .notSought: break
        case .answered(let token, let reply) where check.isAsked(token):
            checked(reply, &actions)
        case .answered(let token, let reply):
            guard step == .storing(token: token) else { return [] }
            answered(reply, &actions)
            release(&actions)
        case .storeFull(let token) where check.isAsked(token): check.failed()
        case .storeFull(let token):
            guard step == .storing(token: token) else { return [] }
            backoff.failed()
            actions.append(.note(.storeFull(attempt: backoff.failures)))
            // A store that is full for a moment is no reason to discard the records that were read ahead.
            if backoff.failures > 1 { pause(.storeFull, &actions) }
            backOff(&actions)
            release(&actions)
        case .letterWritten(let token):
            guard let letter = letters.remove(token) else { return [] }
            written(letter, &actions)
        case .letterFailed(let token, let kind):
            guard let letter = letters.remove(token) else { return [] }
            failed(letter, kind, &actions)
        case .retryDue:
            guard step == .backingOff else { return [] }
            step = .idle
        case .tick:
            tick(&actions)
        case .committed(let results):
            ledger.answered(results)
            for result in results where result.failure != nil { actions.append(.note(.commitFailed(result))) }
        case .stop:
            isStopping = true
        }
        advance(&actions)
        ask(&actions)
        return actions
    }

    /// After so many refusals, over more than ten seconds, the group would have said that another hub has the partition.
    private static let mostContests = 8

    /// Whether the group has given this hub the partition since it last stored anything of it.
    func takesOver(_ position: IngestPosition) -> Bool {
        contests >= Self.mostContests || !ledger.isClaimed(TopicPartition(position.topic, position.partition))
    }

    /// The offsets of everything stored that were not committed yet. For closing.
    mutating func takeCommittable() -> [NextOffset] { ledger.takeDue() }

    // MARK: The batch

    private mutating func advance(_ actions: inout [Action]) {
        while step == .idle, !isStopping {
            guard let records = segments.first else {
                guard !gathered.records.isEmpty else { return resume(&actions) }
                segments = [gathered.takeAll()]
                continue
            }
            guard !records.isEmpty else {
                segments.removeFirst()
                continue
            }
            let count = size.fitting(records)
            guard count == records.count else {
                segments.replaceSubrange(0..<1, with: [Array(records[..<count]), Array(records[count...])])
                continue
            }
            let failed = letters.takeFailed()
            let dead = failed.isEmpty ? newLetters(records) : failed
            if dead.isEmpty {
                lastToken += 1
                step = .storing(token: lastToken)
                ticksWaited = 0
                // Rights first: what ends a right must not wait for the entries behind it. Doing it again does no harm.
                let access = records.flatMap(\.accessChanges)
                actions.append(
                    access.isEmpty
                        ? .submit(token: lastToken, records.flatMap(\.drafts), positions(records), records.retractions)
                        : .changeAccess(token: lastToken, access))
            } else {
                step = .deadLettering
                ticksWaited = 0
                letters.open(dead)
                actions.append(.deadLetter(dead))
            }
        }
    }

    // The loops over all records read single fields by index. A record that is taken out of its array is copied, and everything it
    // refers to is retained.

    private func positions(_ records: [JudgedRecord]) -> [IngestPosition] {
        var last: [TopicPartition: Int64] = [:]
        for index in records.indices {
            // Records of one partition follow one another.
            if index + 1 < records.count, records[index + 1].record.partition == records[index].record.partition,
                records[index + 1].record.topic == records[index].record.topic
            {
                continue
            }
            last[records[index].partition] = records[index].record.offset
        }
        return last.sorted { $0.key < $1.key }.map {
            IngestPosition(
                group: group, topic: $0.key.topic, partition: $0.key.partition, offset: $0.value,
                after: ledger.floors[$0.key].map { $0 - 1 })
        }
    }

    private mutating func answered(_ reply: StoreReply, _ actions: inout [Action]) {
        switch reply {
        case .stored(let drafts):
            let records = segments.removeFirst()
            for position in positions(records) {
                ledger.store(TopicPartition(position.topic, position.partition), next: position.offset &+ 1)
            }
            actions.append(
                .note(
                    .stored(
                        records: records.count, entries: drafts.count, duplicates: drafts.count { $0.duplicate },
                        discards: records.compactMap { if case .discarded(let reason) = $0.judgement { reason } else { nil } })))
            backoff.succeeded()
            contests = 0
            size.stored()
            step = .idle
            resume(&actions)
        case .partlyStored(let drafts):
            partlyStored(drafts, &actions)
        case .accessChanged:
            for index in segments[0].indices { segments[0][index].access = [] }
            backoff.succeeded()
            step = .idle
        case .behind(let positions):
            behind(positions, &actions)
        case .failed(.tooSlow):
            tooSlow(&actions)
        case .failed(.unavailable):
            backoff.failed()
            actions.append(.note(.storeUnavailable(attempt: backoff.failures)))
            pause(.storeUnavailable, &actions)
            backOff(&actions)
        case .failed(.refused(let text)):
            refused(text, &actions)
        case .failed(.forbidden):
            refused("forbidden", &actions)
        case .failed(.noSuchEntry), .failed(.notChangeable), .failed(.tooScattered), .failed(.tooManyConversations), .failed(.unanswered),
            .failed(.tooManyBlocks), .failed(.cancelled), .blockChanged, .blocks, .positions, .opened, .snapshot, .state, .page, .moved,
            .withdrawals, .journal, .switches, .kind, .nodes, .sources, .removed, .fenced, .fences, .ticketKept, .ticket,
            .accessSettled:
            refused("an answer to another question", &actions)
        }
    }

    /// Records that are stored are settled. Those with a target that does not exist are dead-lettered before their offsets move on.
    private mutating func partlyStored(_ drafts: [StoredDraft?], _ actions: inout [Action]) {
        guard drafts.count == segments[0].reduce(0, { $0 + $1.drafts.count }) else {
            // A partition was lost meanwhile, and its records with it. The records that are left are stored, and are submitted again.
            backoff.failed()
            return backOff(&actions)
        }
        var next = 0
        for i in segments[0].indices where segments[0][i].hasContent {
            let wanted = segments[0][i].drafts
            let missing = wanted.indices.filter { drafts[next + $0] == nil }.map { wanted[$0].channel.storedName }
            next += wanted.count
            segments[0][i].judgement =
                missing.isEmpty
                ? .settled
                : .dead(DeathCause(reason: "no_such_conversation", detail: "to: there is no such conversation", targets: missing))
        }
        let stored = drafts.compactMap { $0 }
        actions.append(.note(.stored(records: 0, entries: stored.count, duplicates: stored.count { $0.duplicate }, discards: [])))
        backoff.succeeded()
        size.partlyStored()
        step = .idle
    }

    /// The records are kept, because none of them is to blame. The same request may take as long again, so a smaller one is tried.
    private mutating func tooSlow(_ actions: inout [Action]) {
        let bearing = segments[0].filter(\.hasContent)
        backoff.failed()
        actions.append(.note(.storeTooSlow(records: bearing.count, attempt: backoff.failures)))
        size.tooSlow(drafts: bearing.reduce(0) { $0 + $1.drafts.count }, ofRecords: bearing.count)
        pause(.storeSlow, &actions)
        backOff(&actions)
    }

    /// The store refuses some record of the request. Halving finds it.
    private mutating func refused(_ text: String, _ actions: inout [Action]) {
        var records = segments.removeFirst()
        for i in records.indices where records[i].hasContent { records[i].attempts += 1 }
        let bearing = records.indices.filter { records[$0].hasContent }
        actions.append(.note(.refused(records: bearing.count, text)))
        step = .idle
        switch bearing.count {
        case 0:
            // Only positions were refused, so no record is to blame.
            segments.insert(records, at: 0)
            backoff.failed()
            pause(.storeUnavailable, &actions)
            backOff(&actions)
        case 1:
            let culprit = bearing[0]
            if records[culprit].attempts >= limits.refusals {
                records[culprit].judgement = .dead(DeathCause(reason: "refused", detail: text))
                segments.insert(records, at: 0)
            } else {
                segments.insert(records, at: 0)
                backoff.failed()
                backOff(&actions)
            }
        default:
            let middle = bearing[bearing.count / 2]
            segments.insert(contentsOf: [Array(records[..<middle]), Array(records[middle...])], at: 0)
        }
    }

    mutating func backOff(_ actions: inout [Action]) {
        step = .backingOff
        actions.append(.retry(after: backoff.delay()))
    }

    // MARK: Partitions

    mutating func pause(_ obstacle: IntakeObstacle, _ actions: inout [Action]) {
        guard !isPaused else { return }
        isPaused = true
        actions += [.pause(held.sorted()), .note(.paused(obstacle))]
    }

    private mutating func resume(_ actions: inout [Action]) {
        guard isPaused else { return }
        isPaused = false
        actions += [.resume(held.sorted()), .note(.resumed)]
    }

    /// Gives the partitions back that the group wants, as soon as the request in flight is answered.
    mutating func release(_ actions: inout [Action]) {
        let releasing = ledger.releasing
        guard !releasing.isEmpty, !isInFlight(releasing) || ticksWaited >= limits.timeoutTicks else { return }
        let due = ledger.takeDue(of: Set(releasing))
        if !due.isEmpty { actions.append(.commit(due)) }
        actions.append(.release(releasing))
        drop(releasing)
        ledger.releasing = []
    }

    private func isInFlight(_ partitions: [TopicPartition]) -> Bool {
        !isQuiet && segments.first?.contains { partitions.contains($0.partition) } ?? false
    }

    /// Another member has the partitions now. It reads their records from the last commit on, and the store recognizes those it has.
    private mutating func drop(_ partitions: [TopicPartition]) {
        ledger.forget(partitions)
        dropRecords(of: Set(partitions))
    }

    mutating func dropRecords(of gone: Set<TopicPartition>) {
        gathered.remove(gone)
        for i in segments.indices { segments[i].removeAll { gone.contains($0.partition) } }
        letters.forget(gone)
        if step == .deadLettering, letters.areReported { step = .idle }
    }

    private mutating func tick(_ actions: inout [Action]) {
        let due = ledger.takeDue()
        if !due.isEmpty { actions.append(.commit(due)) }
        check.tick()
        if !ledger.returning.isEmpty { seek(&actions) }
        guard !isQuiet else { return }
        ticksWaited += 1
        guard ticksWaited >= limits.timeoutTicks else { return }
        release(&actions)
        if !hasRoom { pause(step == .deadLettering ? .deadLetters : .storeSlow, &actions) }
    }
}

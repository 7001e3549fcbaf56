import Kafka
import Messaging
import Pacing

/// The order of things between Kafka and the store, as a machine that knows neither.
///
/// What was read goes to the store in the order it was read, one request at a time, while the next batch gathers behind it;
/// so a retry cannot overtake. Invariant: an offset becomes committable only when every record before it in its partition,
/// since the partition was assigned, is stored, discarded or written to the dead-letter topic.
package struct IntakeFlow {
    package struct Limits: Equatable, Sendable {
        /// Records gathered behind the request under way; then nothing more is read until it is answered.
        package var gatheredRecords = 1_000
        var gatheredBytes = 8 << 20
        /// Drafts of one request, and bytes of their content (one record may have many recipients). A record with more goes alone.
        var draftsPerRequest = 2_000
        var bytesPerRequest = 4 << 20
        /// How often the database may take too long over the same drafts before fewer are tried at once.
        var slowAnswers = 2
        /// How often the store may refuse a record, at least once alone, before it is dead-lettered.
        package var refusals = 3
        var firstDelay: Duration = .milliseconds(100)
        var longestDelay: Duration = .seconds(5)
        /// Ticks a request may take, with reading stopped behind it, before the partitions are paused,
        /// and that partitions to be given up wait for the request under way.
        var patienceTicks = 4
        package init() {}
    }

    enum Event: Equatable {
        case assigned([TopicPartition])
        case revoking([TopicPartition])
        case lost([TopicPartition])
        case read([JudgedRecord])
        case answered(token: UInt64, StoreReply)
        /// The store took no more requests.
        case storeFull(token: UInt64)
        case letterWritten(token: UInt64)
        case letterFailed(token: UInt64, KafkaError.Kind)
        case retryDue
        /// Regularly; commits are asked for at this pace.
        case tick
        case committed([CommitResult])
        /// Nothing new is begun; what is under way is still answered.
        case stop
    }

    enum Action: Equatable {
        case submit(token: UInt64, [EntryDraft], [IngestPosition])
        case bury([Letter])
        case retry(after: Duration)
        case pause([TopicPartition])
        case resume([TopicPartition])
        case commit([NextOffset])
        /// After the commits before it.
        case release([TopicPartition])
        case note(IntakeNote)
    }

    private enum Step: Equatable {
        case idle
        case storing(token: UInt64)
        case burying
        case backingOff
    }

    private let limits: Limits
    private var ledger = OffsetLedger()
    private var gathered: [JudgedRecord] = []
    private var gatheredBytes = 0
    /// The batch being worked on, in order, cut where a request got too large or was refused. The first is under way.
    private var segments: [[JudgedRecord]] = []
    private var step = Step.idle
    /// The letters without a report, by token.
    private var letters: [UInt64: Letter] = [:]
    private var failedLetters: [Letter] = []
    private var lettersMustWait = false
    private var releasing: [TopicPartition] = []
    private var lastToken: UInt64 = 0
    private var backoff: Backoff
    private var slowAnswers = 0
    /// Halved when a request is too slow for the database, then growing back by an eighth with each that is not.
    private var draftsAtOnce: Int
    private var ticksWaited = 0
    private var isStopping = false
    private(set) var isPaused = false

    init(limits: Limits) {
        self.limits = limits
        backoff = Backoff(first: limits.firstDelay, longest: limits.longestDelay, jitter: .none)
        draftsAtOnce = limits.draftsPerRequest
    }

    /// Whether records may be read.
    var hasRoom: Bool { gathered.count < limits.gatheredRecords && gatheredBytes < limits.gatheredBytes }
    var roomRecords: Int { max(1, limits.gatheredRecords - gathered.count) }
    var roomBytes: Int { max(1, limits.gatheredBytes - gatheredBytes) }
    var held: Set<TopicPartition> { ledger.held }
    /// Nothing is under way that could still be answered.
    var isQuiet: Bool {
        switch step {
        case .idle, .backingOff: true
        case .storing, .burying: false
        }
    }
    func next(of partition: TopicPartition) -> Int64? { ledger.next(of: partition) }

    mutating func handle(_ event: Event) -> [Action] {
        var actions: [Action] = []
        switch event {
        case .assigned(let partitions):
            ledger.hold(partitions)
            if isPaused, !partitions.isEmpty { actions.append(.pause(partitions)) }
        case .revoking(let partitions):
            releasing += partitions
            gathered.removeAll { partitions.contains($0.place) }
            release(&actions)
        case .lost(let partitions):
            releasing.removeAll { partitions.contains($0) }
            drop(partitions)
        case .read(let records):
            gathered += records
            gatheredBytes += Self.bytes(of: records)
        case .answered(let token, let reply):
            guard step == .storing(token: token) else { return [] }
            answered(reply, &actions)
            release(&actions)
        case .storeFull(let token):
            guard step == .storing(token: token) else { return [] }
            backoff.failed()
            actions.append(.note(.storeFull(attempt: backoff.failures)))
            // Full for a moment is no reason to throw away what was read ahead.
            if backoff.failures > 1 { pause(.storeFull, &actions) }
            backOff(&actions)
            release(&actions)
        case .letterWritten(let token):
            guard let letter = letters.removeValue(forKey: token) else { return [] }
            buried(letter, &actions)
        case .letterFailed(let token, let kind):
            guard let letter = letters.removeValue(forKey: token) else { return [] }
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
        return actions
    }

    /// Everything stored that the broker was not yet asked to keep: for closing.
    mutating func takeCommittable() -> [NextOffset] { ledger.takeDue() }

    // MARK: The batch

    private mutating func advance(_ actions: inout [Action]) {
        while step == .idle, !isStopping {
            guard let records = segments.first else {
                guard !gathered.isEmpty else { return resume(&actions) }
                segments = [gathered]
                gathered = []
                gatheredBytes = 0
                continue
            }
            guard !records.isEmpty else {
                segments.removeFirst()
                continue
            }
            let count = fitting(records)
            guard count == records.count else {
                segments.replaceSubrange(0..<1, with: [Array(records[..<count]), Array(records[count...])])
                continue
            }
            let dead = failedLetters.isEmpty ? newLetters(records) : failedLetters
            failedLetters = []
            if dead.isEmpty {
                lastToken += 1
                step = .storing(token: lastToken)
                ticksWaited = 0
                actions.append(.submit(token: lastToken, records.flatMap(\.drafts), positions(records)))
            } else {
                step = .burying
                ticksWaited = 0
                lettersMustWait = false
                for letter in dead { letters[letter.token] = letter }
                actions.append(.bury(dead))
            }
        }
    }

    // What is done for every record reads single fields by index: a record taken out of its array is copied, with all it refers to.

    private static func bytes(of records: [JudgedRecord]) -> Int {
        var bytes = 0
        for index in records.indices { bytes += records[index].record.sizeBytes }
        return bytes
    }

    /// How many of the records, at least one, make a request.
    private func fitting(_ records: [JudgedRecord]) -> Int {
        var drafts = 0
        var bytes = 0
        for index in records.indices {
            for draft in records[index].drafts {
                drafts += 1
                bytes += draft.content.utf8.count
            }
            if index > 0, drafts > draftsAtOnce || bytes > limits.bytesPerRequest { return index }
        }
        return records.count
    }

    private func positions(_ records: [JudgedRecord]) -> [IngestPosition] {
        var last: [TopicPartition: Int64] = [:]
        for index in records.indices {
            // One partition's records come in runs.
            if index + 1 < records.count, records[index + 1].record.partition == records[index].record.partition,
                records[index + 1].record.topic == records[index].record.topic
            {
                continue
            }
            last[records[index].place] = records[index].record.offset
        }
        return last.sorted { $0.key < $1.key }.map { IngestPosition(topic: $0.key.topic, partition: $0.key.partition, offset: $0.value) }
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
            slowAnswers = 0
            draftsAtOnce = min(draftsAtOnce + max(1, draftsAtOnce / 8), limits.draftsPerRequest)
            step = .idle
            resume(&actions)
        case .partlyStored(let drafts):
            partlyStored(drafts, &actions)
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
        case .failed(.noSuchEntry), .failed(.tooScattered), .failed(.tooManyConversations), .opened, .snapshot, .state, .page, .moved:
            refused("an answer to another question", &actions)
        }
    }

    /// What is stored is settled; records with a target that does not exist go to the dead letters before their positions move on.
    private mutating func partlyStored(_ drafts: [StoredDraft?], _ actions: inout [Action]) {
        guard drafts.count == segments[0].reduce(0, { $0 + $1.drafts.count }) else {
            // A partition was lost meanwhile, and its records with it: what is left is stored, and asked for again.
            backoff.failed()
            return backOff(&actions)
        }
        var next = 0
        for i in segments[0].indices where !segments[0][i].drafts.isEmpty {
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
        slowAnswers = 0
        step = .idle
    }

    /// Nobody's fault, so nothing is given up; but the same again may take as long, so less is tried.
    private mutating func tooSlow(_ actions: inout [Action]) {
        let bearing = segments[0].filter { !$0.drafts.isEmpty }
        backoff.failed()
        slowAnswers += 1
        actions.append(.note(.storeTooSlow(records: bearing.count, attempt: backoff.failures)))
        if slowAnswers >= limits.slowAnswers {
            slowAnswers = 0
            if bearing.count > 1 { draftsAtOnce = max(1, bearing.reduce(0) { $0 + $1.drafts.count } / 2) }
        }
        pause(.storeSlow, &actions)
        backOff(&actions)
    }

    /// Something in the request cannot be stored: halve it until the record stands alone.
    private mutating func refused(_ text: String, _ actions: inout [Action]) {
        var records = segments.removeFirst()
        for i in records.indices where !records[i].drafts.isEmpty { records[i].attempts += 1 }
        let bearing = records.indices.filter { !records[$0].drafts.isEmpty }
        actions.append(.note(.refused(records: bearing.count, text)))
        step = .idle
        switch bearing.count {
        case 0:
            // Positions alone were refused: no record is to blame.
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

    private mutating func backOff(_ actions: inout [Action]) {
        step = .backingOff
        actions.append(.retry(after: backoff.delay()))
    }

    // MARK: Dead letters

    private mutating func newLetters(_ records: [JudgedRecord]) -> [Letter] {
        var letters: [Letter] = []
        for index in records.indices {
            guard let cause = records[index].cause else { continue }
            lastToken += 1
            let record = records[index]
            letters.append(
                Letter(token: lastToken, record: record.record, cause: cause, attempts: max(1, record.attempts), form: .whole))
        }
        return letters
    }

    private mutating func buried(_ letter: Letter, _ actions: inout [Action]) {
        if let i = segments.first?.firstIndex(where: {
            $0.place == letter.record.topicPartition && $0.record.offset == letter.record.offset
        }) {
            switch segments[0][i].judgement {
            case .partly(let drafts, _): segments[0][i].judgement = .entries(drafts)
            case .dead, .entries, .discarded, .settled: segments[0][i].judgement = .settled
            }
        }
        actions.append(.note(.buried(letter)))
        lettersSettled(&actions)
    }

    private mutating func failed(_ letter: Letter, _ kind: KafkaError.Kind, _ actions: inout [Action]) {
        var letter = letter
        if kind == .recordTooLarge, let lesser = letter.form.lesser {
            letter.form = lesser
        } else {
            if !lettersMustWait { backoff.failed() }
            lettersMustWait = true
            actions.append(.note(.letterFailed(letter, kind, attempt: backoff.failures)))
        }
        failedLetters.append(letter)
        lettersSettled(&actions)
    }

    private mutating func lettersSettled(_ actions: inout [Action]) {
        guard letters.isEmpty, step == .burying else { return }
        if failedLetters.isEmpty {
            backoff.succeeded()
            step = .idle
        } else if lettersMustWait {
            pause(.deadLetters, &actions)
            backOff(&actions)
        } else {
            // Only too large: the lesser form goes out at once.
            step = .idle
        }
        release(&actions)
    }

    // MARK: Partitions

    private mutating func pause(_ obstacle: IntakeObstacle, _ actions: inout [Action]) {
        guard !isPaused else { return }
        isPaused = true
        actions += [.pause(held.sorted()), .note(.paused(obstacle))]
    }

    private mutating func resume(_ actions: inout [Action]) {
        guard isPaused else { return }
        isPaused = false
        actions += [.resume(held.sorted()), .note(.resumed)]
    }

    /// Gives up what the group wants back, as soon as the request under way is settled.
    private mutating func release(_ actions: inout [Action]) {
        guard !releasing.isEmpty, !isUnderWay(releasing) || ticksWaited >= limits.patienceTicks else { return }
        let due = ledger.takeDue(of: Set(releasing))
        if !due.isEmpty { actions.append(.commit(due)) }
        actions.append(.release(releasing))
        drop(releasing)
        releasing = []
    }

    private func isUnderWay(_ partitions: [TopicPartition]) -> Bool {
        !isQuiet && segments.first?.contains { partitions.contains($0.place) } ?? false
    }

    /// The partitions are another member's: it reads their records from the last commit on, and the store knows what it already has.
    private mutating func drop(_ partitions: [TopicPartition]) {
        let gone = Set(partitions)
        ledger.forget(gone)
        gathered.removeAll { gone.contains($0.place) }
        gatheredBytes = Self.bytes(of: gathered)
        for i in segments.indices { segments[i].removeAll { gone.contains($0.place) } }
        failedLetters.removeAll { gone.contains($0.record.topicPartition) }
        letters = letters.filter { !gone.contains($0.value.record.topicPartition) }
        if step == .burying, letters.isEmpty { step = .idle }
    }

    private mutating func tick(_ actions: inout [Action]) {
        let due = ledger.takeDue()
        if !due.isEmpty { actions.append(.commit(due)) }
        guard !isQuiet else { return }
        ticksWaited += 1
        guard ticksWaited >= limits.patienceTicks else { return }
        release(&actions)
        if !hasRoom { pause(step == .burying ? .deadLetters : .storeSlow, &actions) }
    }
}

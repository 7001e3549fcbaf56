import Kafka
import Linux
import Logging
import Messaging
import Reactor
import StoreAPI

/// Carries out what `IntakeFlow` decides, on the intake's thread. Its stored properties are the consumer, the writer of
/// dead letters, the rules, the flow with its pending events, the state of stopping, and the parts that the intake is made with.
final class IntakeWorker {
    private let configuration: IntakeConfiguration
    private let loop: EventLoop
    private let inbox: IntakeInbox
    private let store: any StoreDesk
    private let report: IntakeReport
    private var judge: RecordJudge
    private let rules: RulesWatch?
    private var sources: SourceReporter?
    private var flow: IntakeFlow
    private let deadLetterTopic: DeadLetterTopicWatch
    private var letters: DeadLetterWriter?
    private var consumer: Consumer?
    private var watch: WatchID?
    private var events: [IntakeFlow.Event] = []
    private var isHandling = false
    private var isStopping = false
    private var stopBy: MonotonicInstant?
    private var progress = ReadProgress()
    private var refusals = Refusals()
    /// `StoreDesk.connectionsMade` when the flow heard of it last.
    private var knownConnections: UInt64 = 0
    /// `StoreDesk.connectionsMade` when something was last stored.
    private var connectionsAtStore: UInt64?
    /// The event that is handled is the answer to a check of the positions.
    private var isAnsweringCheck = false
    private var ticks = 0
    /// Another member took this one's name in the group.
    private var isFenced = false

    init(
        _ configuration: IntakeConfiguration, rules: RulesFile?, loop: EventLoop, inbox: IntakeInbox, store: any StoreDesk,
        metrics: IntakeMetrics, log: Logger
    ) {
        self.configuration = configuration
        self.loop = loop
        self.inbox = inbox
        self.store = store
        let report = IntakeReport(metrics: metrics, log: log)
        self.report = report
        deadLetterTopic = DeadLetterTopicWatch(configuration, loop: loop, inbox: inbox, report: report)
        judge = RecordJudge(configuration)
        self.rules = rules.map { RulesWatch($0, metrics: metrics, log: log) }
        if let rules { judge.changes.use(rules.rules) }
        sources = SourceReporter(configuration, report: report, store: store, now: loop.now)
        flow = IntakeFlow(limits: configuration.flow, group: configuration.consumer.group)
        letters = DeadLetterWriter(configuration, loop: loop, log: log) { [weak self] token, failure in
            self?.handle(failure.map { .letterFailed(token: token, $0.kind) } ?? .letterWritten(token: token))
        }
    }

    /// Runs until stopped.
    func run() {
        loop.receive(from: inbox.outcomes) { [weak self] batch in
            guard let self else { return }
            for outcome in batch {
                if outcome.token == SourceReporter.token {
                    sources?.answered(outcome.reply, now: loop.now)
                } else {
                    handle(.answered(token: outcome.token, outcome.reply))
                }
            }
            read()
        }
        loop.receive(from: inbox.orders) { [weak self] batch in
            for order in batch {
                switch order {
                case .stop(let limit): self?.stop(within: limit)
                case .deadLetterTopic(let state): self?.deadLetterTopic.found(state)
                }
            }
        }
        open()
        tick()
        lookAtRules()
        loop.run()
    }

    // MARK: The client

    private func open() {
        guard !isStopping, consumer == nil else { return }
        do {
            var own = configuration.consumer
            // Two hubs with one name would take it from each other again and again, and neither would read.
            if isFenced { own.member = nil }
            let consumer = try Consumer(own)
            watch = try loop.watch(consumer.descriptor, .readable) { [weak self] _ in self?.read() }
            self.consumer = consumer
            report.opened(own)
        } catch {
            report.couldNotOpen(error, again: configuration.restartDelay)
            loop.after(configuration.restartDelay) { [weak self] in self?.open() }
        }
    }

    private func close(committing offsets: [NextOffset], within limit: Duration) {
        guard let consumer else { return }
        self.consumer = nil
        if let watch { loop.unwatch(watch) }
        watch = nil
        report.closed(consumer.close(committing: offsets, within: limit))
    }

    /// The client failed for good. It is closed and made anew.
    private func reopen(_ failure: KafkaError) {
        report.restarting(failure)
        if failure.name == "FENCED_INSTANCE_ID" {
            isFenced = true
            report.fenced(configuration.consumer)
        }
        handle(.lost(Array(flow.held)))
        close(committing: [], within: .seconds(1))
        loop.after(configuration.restartDelay) { [weak self] in self?.open() }
    }

    /// Takes the records that the client has, as long as there is room for them. While paused only events of the group and the brokers come.
    private func read() {
        while let consumer, !isStopping {
            guard flow.hasRoom || flow.isPaused else { return consumer.postponePoll() }
            let poll = consumer.poll(
                PollLimits(records: min(configuration.poll.records, flow.roomRecords), bytes: min(configuration.poll.bytes, flow.roomBytes))
            )
            if !poll.records.isEmpty { take(poll.records) }
            if let event = poll.event { take(event) }
            guard poll.more else { return }
        }
    }

    private func take(_ records: [KafkaRecord]) {
        report.read(records)
        // Records of one partition follow one another.
        var start = records.startIndex
        while start < records.endIndex {
            let partition = records[start].topicPartition
            let rest = records[start...]
            let end = rest.firstIndex { $0.partition != partition.partition || $0.topic != partition.topic } ?? records.endIndex
            for finding in progress.read(records[start..<end], low: { consumer?.lowWatermark(of: $0) }) { report.found(finding) }
            allowed(partition.topic)
            sources?.reach(partition)
            start = end
        }
        handle(.read(records.map { judge($0) }))
    }

    private func judge(_ record: KafkaRecord) -> JudgedRecord {
        let (judged, findings) = judge.judge(record)
        if let findings {
            report.found(findings, in: record)
            if let source = findings.source { sources?.hear(source, in: record, now: loop.now) }
        }
        return judged
    }

    private func lookAtRules() {
        guard let rules, !isStopping else { return }
        if let found = rules.look() { judge.changes.use(found) }
        loop.after(configuration.rulesInterval) { [weak self] in self?.lookAtRules() }
    }

    private func take(_ event: ConsumerEvent) {
        report.heard(event)
        sources?.heard(event, now: loop.now)
        switch event {
        case .assigned(let partitions, let committed):
            for next in committed { progress.begin(next.partition, at: next.offset) }
            if refusals.groupIsAllowed() { report.refusals(refusals) }
            handle(.assigned(partitions, committed: committed))
        case .ended(let partition, let offset):
            if let finding = progress.ended(partition, at: offset, low: { consumer?.lowWatermark(of: $0) }) { report.found(finding) }
            allowed(partition.topic)
        case .revoking(let partitions):
            handle(.revoking(partitions))
            forget(partitions)
        case .lost(let partitions):
            handle(.lost(partitions))
            forget(partitions)
        case .vanished(let partitions): for partition in partitions { restart(partition) }
        case .committed(let results): handle(.committed(results))
        case .failure(let failure, _) where failure.kind == .fatal: reopen(failure)
        case .failure(let failure, let partition) where failure.kind == .unauthorized:
            if refusals.refused(partition) { report.refused(failure, partition) }
            report.refusals(refusals)
        case .brokersUp: deadLetterTopic.look()
        case .failure, .brokersDown, .log: break
        }
    }

    private func forget(_ partitions: [TopicPartition]) {
        progress.forget(partitions)
    }

    private func allowed(_ topic: String) {
        if !refusals.isEmpty, refusals.allowed(topic) { report.refusals(refusals) }
    }

    /// librdkafka tells a refusal once, and the end of a partition once. Going to the same offset again makes it tell what is the case now.
    private func tryRefused() {
        let offsets = refusals.partitions.compactMap { partition in progress.next(of: partition).map { NextOffset(partition, $0) } }
        _ = consumer?.seek(offsets.filter { flow.held.contains($0.partition) })
    }

    /// The topic was deleted. If it is made anew, the known offsets do not apply to it.
    private func restart(_ partition: TopicPartition) {
        guard flow.held.contains(partition) else { return }
        report.restarted(partition)
        consumer?.restart([partition])
        forget([partition])
        sources?.forget([partition])
        handle(.lost([partition]))
        handle(.assigned([partition]))
    }

    // MARK: The flow

    private func handle(_ event: IntakeFlow.Event) {
        events.append(event)
        // An action may cause an event, which is handled after the remaining actions.
        guard !isHandling else { return }
        isHandling = true
        var next = 0
        while next < events.count {
            if case .answered(_, .positions) = events[next] { isAnsweringCheck = true } else { isAnsweringCheck = false }
            for action in flow.handle(events[next]) { perform(action) }
            next += 1
        }
        events.removeAll(keepingCapacity: true)
        isHandling = false
        if isStopping, flow.isQuiet { finish() }
    }

    private func perform(_ action: IntakeFlow.Action) {
        switch action {
        case .submit(let token, let drafts, var positions, let retractions):
            for index in positions.indices { positions[index].takesOver = flow.takesOver(positions[index]) }
            let order = StoreOrder(request: .ingest(drafts, positions, retractions), client: inbox, token: token)
            if !store.submit([order]) { handle(.storeFull(token: token)) }
        case .changeAccess(let token, let changes):
            if !store.submit([StoreOrder(request: .changeAccess(changes), client: inbox, token: token)]) {
                handle(.storeFull(token: token))
            }
        case .check(let token, let partitions):
            let group = configuration.consumer.group
            let asked = partitions.map { IngestPartition(group: group, topic: $0.topic, number: $0.partition) }
            if !store.submit([StoreOrder(request: .positions(asked), client: inbox, token: token)]) { handle(.storeFull(token: token)) }
        case .seek(let offsets): seek(offsets)
        case .deadLetter(let dead):
            for letter in dead { write(letter) }
        case .retry(let delay):
            loop.after(delay) { [weak self] in self?.handle(.retryDue) }
        case .pause(let partitions): consumer?.pause(partitions)
        case .resume(let partitions): consumer?.resume(partitions)
        case .commit(let offsets):
            do throws(KafkaError) {
                try consumer?.commit(offsets)
            } catch {
                handle(.committed(offsets.map { CommitResult(next: $0, failure: error) }))
            }
        case .release(let partitions):
            do throws(KafkaError) {
                try consumer?.release(partitions)
            } catch {
                report.couldNotRelease(partitions, error)
            }
        case .note(let note):
            report.note(note)
            noteHistory(note)
            if case .letterFailed(_, let kind, _) = note, kind.isOfTheTopic { deadLetterTopic.look() }
        }
    }

    /// The answer to a check of all positions tells the truth. A single batch finds the database behind also when another hub has moved the
    /// positions, unless connections were made anew: a database goes back only while no connection is open.
    private func noteHistory(_ note: IntakeNote) {
        switch note {
        case .stored: connectionsAtStore = store.connectionsMade
        case .behind:
            if isAnsweringCheck || connectionsAtStore != store.connectionsMade { store.noteDatabaseIsBehind() }
        default: return
        }
    }

    private func write(_ letter: Letter) {
        do throws(KafkaError) {
            try letters?.write(letter)
        } catch {
            handle(.letterFailed(token: letter.token, error.kind))
        }
    }

    private func seek(_ offsets: [NextOffset]) {
        guard let consumer else { return }
        let failed = consumer.seek(offsets)
        let sought = offsets.map(\.partition).filter { !failed.contains($0) }
        for next in offsets where sought.contains(next.partition) { progress.begin(next.partition, at: next.offset) }
        if !sought.isEmpty { handle(.sought(sought)) }
        if !failed.isEmpty { handle(.notSought(failed)) }
    }

    private func tick() {
        let connections = store.connectionsMade
        if connections != knownConnections {
            knownConnections = connections
            handle(.storeConnected)
        }
        handle(.tick)
        ticks &+= 1
        if !refusals.isEmpty, ticks % configuration.refusalTicks == 0 { tryRefused() }
        report.tick(loop.now)
        read()
        measure()
        loop.after(configuration.tick) { [weak self] in self?.tick() }
    }

    private func measure() {
        guard consumer != nil else { return }
        sources?.tick(held: flow.held, isPaused: flow.isPaused, lag: { lag(of: $0) }, store: store, inbox: inbox, now: loop.now)
        report.lag(
            flow.held.map { lag(of: $0) ?? 0 })
    }

    /// Nil as long as the end of the partition is not known.
    private func lag(of partition: TopicPartition) -> Int64? {
        consumer?.highWatermark(of: partition).map { progress.lag(of: partition, stored: flow.next(of: partition), high: $0) }
    }

    // MARK: The end

    private func stop(within limit: Duration) {
        guard !isStopping else { return }
        isStopping = true
        stopBy = loop.now + limit
        loop.after(limit / 2) { [weak self] in self?.finish() }
        handle(.stop)
    }

    /// Half of the time was for the request in flight, the rest is for the brokers.
    private func finish() {
        guard let stopBy else { return }
        self.stopBy = nil
        let left = max(.milliseconds(100), stopBy - loop.now)
        close(committing: flow.takeCommittable(), within: left)
        letters = nil
        deadLetterTopic.stop()
        loop.handle.stop()
    }
}

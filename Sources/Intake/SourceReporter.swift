import Kafka
import Linux
import Logging
import Messaging
import StoreAPI
import Telemetry

/// Carries out what `SourceWatch` decides, on the intake's thread.
struct SourceReporter {
    /// `IntakeFlow` counts its tokens from 1.
    static let token = UInt64.max

    private var watch: SourceWatch
    private let report: IntakeReport
    private var connections: UInt64

    /// - Returns: nil unless sources are watched.
    init?(_ configuration: IntakeConfiguration, report: IntakeReport, store: any StoreDesk, now: MonotonicInstant) {
        guard let silentAfter = configuration.silentAfter, !configuration.changeTopics.isEmpty else { return nil }
        watch = SourceWatch(SourceWatch.Limits(silentAfter: silentAfter), group: configuration.consumer.group, now: now)
        self.report = report
        connections = store.connectionsMade
    }

    mutating func hear(_ source: ChangeJudge.Source, in record: KafkaRecord, now: MonotonicInstant) {
        let finding = watch.hear(source.name, isHeartbeat: source.isHeartbeat, on: record.topicPartition, now: now)
        if let finding { report.found(finding) }
    }

    mutating func reach(_ partition: TopicPartition) { watch.reach(partition) }
    mutating func forget(_ partitions: [TopicPartition]) { watch.forget(partitions) }

    mutating func heard(_ event: ConsumerEvent, now: MonotonicInstant) {
        switch event {
        case .assigned(let partitions, _), .revoking(let partitions), .lost(let partitions), .vanished(let partitions): forget(partitions)
        case .ended(let partition, _): reach(partition)
        case .brokersUp, .brokersDown: watch.unsettle(now: now)
        case .committed, .failure, .log: break
        }
    }

    mutating func tick(
        held: Set<TopicPartition>, isPaused: Bool, lag: (TopicPartition) -> Int64?, store: any StoreDesk, inbox: IntakeInbox,
        now: MonotonicInstant
    ) {
        if connections != store.connectionsMade {
            connections = store.connectionsMade
            watch.unsettle(now: now)
        }
        let isReading = !isPaused && report.metrics.brokersUp.value != 0
        report.sources(watch.ages(now: now))
        guard let told = watch.report(held: held, isReading: isReading, lag: lag, now: now) else { return }
        if !store.submit([StoreOrder(request: .sources(told), client: inbox, token: Self.token)]) { watch.notAnswered() }
    }

    mutating func answered(_ reply: StoreReply, now: MonotonicInstant) {
        guard case .sources(let states) = reply else { return watch.notAnswered() }
        for finding in watch.answered(states, now: now) { report.found(finding) }
        report.sources(watch.ages(now: now))
    }
}

extension IntakeReport {
    func sources(_ ages: [(name: String, age: Duration, isSilent: Bool)]) {
        metrics.silentSources.set(Dictionary(ages.map { ($0.name, $0.isSilent ? 1 : 0) }) { first, _ in first })
        metrics.sourceAge.set(Dictionary(ages.map { ($0.name, ($0.age / .milliseconds(1)).rounded() / 1_000) }) { first, _ in first })
    }

    func found(_ finding: SourceWatch.Finding) {
        switch finding {
        case .began(let source):
            log.error(
                "source silent: neither a change nor a heartbeat came",
                metadata: ["source": "\(source.name)", "seconds": "\(source.age.components.seconds)", "topic": "\(source.topic)"])
        case .ended(let source, let silence):
            log.notice(
                "source heard again", metadata: ["source": "\(source.name)", "silent_seconds": "\(silence.components.seconds)"])
        case .forgotten(let name): log.notice("source forgotten: it was not heard for 30 days", metadata: ["source": "\(name)"])
        case .tooMany(let name):
            log.warning("too many sources of changes: not all are watched for silence", metadata: ["source": "\(name)"])
        }
    }
}

import Kafka
import Linux
import Logging
import Pacing
import Rules
import Telemetry

/// Reports the intake to its operator: a counter for every event, a log line for every change of state.
struct IntakeReport {
    let metrics: IntakeMetrics
    let log: Logger
    private let repeated: RepeatedLines

    init(metrics: IntakeMetrics, log: Logger) {
        self.metrics = metrics
        self.log = log
        repeated = RepeatedLines(log)
    }

    /// What the rules made of a record.
    func found(_ findings: ChangeJudge.Findings, in record: KafkaRecord) {
        if findings.hasNoEffect { return }
        metrics.ruleEvents.add(UInt64(findings.events))
        metrics.ruleRetractions.add(UInt64(findings.retractions))
        metrics.ruleFailures.add(UInt64(findings.failures.count))
        metrics.ruleUndecided.add(UInt64(findings.undecided.count))
        let origin: Logger.Metadata = ["topic": "\(record.topic)", "partition": "\(record.partition)", "offset": "\(record.offset)"]
        for failure in findings.failures {
            repeated.write(
                .warning, "rule failed", kind: "rule_failed/" + failure.rule,
                origin.merging(["rule": "\(failure.rule)", "detail": "\(failure.detail)"]) { _, new in new })
        }
        for rule in findings.undecided {
            repeated.write(
                .warning, "rule undecided: the database did not deliver the value that it reads", kind: "rule_undecided/" + rule,
                origin.merging(["rule": "\(rule)"]) { _, new in new })
        }
    }

    func tick(_ now: MonotonicInstant) { repeated.tick(now) }

    func opened(_ configuration: ConsumerConfiguration) {
        log.info(
            "reading from kafka",
            metadata: [
                "brokers": "\(configuration.brokers)", "group": "\(configuration.group)",
                "topics": "\(configuration.topics.joined(separator: ","))", "member": "\(configuration.member ?? "-")",
            ])
    }

    func fenced(_ configuration: ConsumerConfiguration) {
        log.error(
            "another hub has this hub's name in the kafka group: give each its own (kafka.member). This one goes on without a name",
            metadata: ["group": "\(configuration.group)", "member": "\(configuration.member ?? "-")"])
    }

    func couldNotOpen(_ error: any Error, again delay: Duration) {
        metrics.clientRestarts.add()
        log.error("kafka consumer could not be made", metadata: ["error": "\(error)", "retry_in": "\(delay.inMilliseconds)"])
    }

    func restarting(_ failure: KafkaError) {
        metrics.clientRestarts.add()
        log.error(
            "kafka consumer failed for good and is made anew", metadata: ["error": "\(failure.name)", "detail": "\(failure.message)"])
    }

    func closed(_ results: [CommitResult]) {
        for result in results { committed(result) }
        metrics.partitions.set(0)
        log.info("left the kafka group", metadata: ["committed": "\(results.count { $0.failure == nil })"])
    }

    func couldNotRelease(_ partitions: [TopicPartition], _ failure: KafkaError) {
        log.warning("partitions could not be released", metadata: ["partitions": "\(partitions.text)", "error": "\(failure.name)"])
    }

    func restarted(_ partition: TopicPartition) {
        metrics.rebalances.add("restarted")
        log.warning("partition is read from its beginning as soon as it is there again", metadata: ["partition": "\(partition)"])
    }

    func read(_ records: [KafkaRecord]) {
        metrics.records.add(UInt64(records.count))
        metrics.recordBytes.add(UInt64(records.reduce(0) { $0 + $1.sizeBytes }))
    }

    func found(_ finding: ReadProgress.Finding) {
        switch finding {
        case .removed(let partition, let from, let to):
            metrics.removedRecords.add(UInt64(to &- from))
            log.error(
                "kafka removed records before the hub had read them: they are lost",
                metadata: [
                    "topic": "\(partition.topic)", "partition": "\(partition.partition)", "from": "\(from)", "to": "\(to &- 1)",
                    "offsets": "\(to &- from)",
                ])
        case .startedOver(let partition, let at, let after):
            metrics.rebalances.add("restarted")
            log.warning(
                "partition starts over below what was read: its topic was made anew, or its brokers lost records",
                metadata: ["topic": "\(partition.topic)", "partition": "\(partition.partition)", "at": "\(at)", "after": "\(after)"])
        }
    }

    func refused(_ failure: KafkaError, _ partition: TopicPartition?) {
        log.error(
            "kafka refuses the hub: a right is missing, and events are not read",
            metadata: ["error": "\(failure.name)", "detail": "\(failure.message)", "topic": "\(partition?.topic ?? "-")"])
    }

    func refusals(_ refusals: Refusals) {
        if refusals.isEmpty, metrics.refusals.value > 0 { log.notice("kafka refuses the hub nothing any more") }
        metrics.refusals.set(Int64(refusals.count))
    }

    func lag(_ lags: [Int64]) {
        metrics.partitions.set(Int64(lags.count))
        metrics.lag.set(lags.reduce(0, &+))
        metrics.largestPartitionLag.set(lags.max() ?? 0)
    }

    func heard(_ event: ConsumerEvent) {
        switch event {
        case .assigned(let partitions, _):
            metrics.rebalances.add("assigned")
            log.info("partitions assigned", metadata: ["partitions": "\(partitions.text)"])
        case .revoking(let partitions):
            metrics.rebalances.add("revoked")
            log.info("partitions revoked", metadata: ["partitions": "\(partitions.text)"])
        case .lost(let partitions):
            metrics.rebalances.add("lost")
            log.warning("partitions lost", metadata: ["partitions": "\(partitions.text)"])
        case .vanished(let partitions):
            log.warning("topic was deleted", metadata: ["partitions": "\(partitions.text)"])
        case .committed(let results):
            for result in results { committed(result) }
        case .ended: break
        case .brokersDown:
            metrics.brokersUp.set(0)
            log.error("no kafka broker can be reached")
        case .brokersUp:
            metrics.brokersUp.set(1)
            log.info("kafka broker reached")
        case .failure(let failure, let partition):
            metrics.clientErrors.add(failure.name)
            repeated.write(
                .notice, "kafka client reports an error", kind: "client \(failure.name)",
                ["error": "\(failure.name)", "detail": "\(failure.message)", "partition": "\(partition.map(\.description) ?? "-")"])
        case .log(let level, let facility, let message): log.clientLine(level, facility, message)
        }
    }

    func deadLetterTopic(_ topic: String, _ state: DeadLetterTopic.State, attempt: Int) {
        switch state {
        case .there: metrics.deadLetterTopic.set(1)
        case .made:
            metrics.deadLetterTopic.set(1)
            log.notice("dead-letter topic made", metadata: ["topic": "\(topic)"])
        case .missing(let failure):
            metrics.deadLetterTopic.set(0)
            if attempt.isWorthALine {
                log.error(
                    "dead-letter topic is missing and cannot be made: the next record that cannot be understood stops the intake",
                    metadata: ["topic": "\(topic)", "error": "\(failure.name)", "detail": "\(failure.message)"])
            }
        case .unknown(let failure):
            if attempt.isWorthALine {
                log.notice("dead-letter topic could not be looked for", metadata: ["topic": "\(topic)", "error": "\(failure.name)"])
            }
        }
    }

    private func committed(_ result: CommitResult) {
        if let failure = result.failure { metrics.commitFailures.add(failure.name) } else { metrics.commits.add() }
    }

    func note(_ note: IntakeNote) {
        switch note {
        case .stored(let records, let entries, let duplicates, let discards):
            metrics.batches.add()
            metrics.storedRecords.add(UInt64(records))
            metrics.entries.add(UInt64(entries - duplicates))
            metrics.duplicates.add(UInt64(duplicates))
            for reason in discards { metrics.discards.add(reason) }
        case .storeUnavailable(let attempt):
            metrics.retries.add("unavailable")
            if attempt.isWorthALine { log.warning("store unavailable, batch kept", metadata: ["attempt": "\(attempt)"]) }
        case .storeFull(let attempt):
            metrics.retries.add("full")
            if attempt.isWorthALine { log.warning("store full, batch kept", metadata: ["attempt": "\(attempt)"]) }
        case .storeTooSlow(let records, let attempt):
            metrics.retries.add("slow")
            if attempt.isWorthALine {
                log.warning("store took too long, batch kept", metadata: ["attempt": "\(attempt)", "records": "\(records)"])
            }
        case .refused(let records, let text):
            metrics.retries.add("refused")
            repeated.write(.warning, "store refused a batch", kind: "refused", ["records": "\(records)", "detail": "\(text)"])
        case .deadLettered(let letter):
            metrics.deadLetterTopic.set(1)
            metrics.deadLetters.add(letter.cause.reason)
            repeated.write(
                .warning, "record dead-lettered", kind: "dead letter \(letter.cause.reason)",
                [
                    "reason": "\(letter.cause.reason)", "topic": "\(letter.record.topic)", "partition": "\(letter.record.partition)",
                    "offset": "\(letter.record.offset)", "attempts": "\(letter.attempts)",
                ])
        case .letterFailed(let letter, let kind, let attempt):
            metrics.deadLetterFailures.add("\(kind)")
            if kind.isOfTheTopic { metrics.deadLetterTopic.set(0) }
            if attempt.isWorthALine {
                log.error(
                    "dead letter could not be written: nothing is read until it can be",
                    metadata: [
                        "cause": "\(kind)", "attempt": "\(attempt)", "topic": "\(letter.record.topic)",
                        "partition": "\(letter.record.partition)", "offset": "\(letter.record.offset)",
                    ])
            }
        case .commitFailed(let result):
            repeated.write(
                .notice, "offset not committed", kind: "commit \(result.failure?.name ?? "-")",
                [
                    "partition": "\(result.next.partition)", "offset": "\(result.next.offset)", "error": "\(result.failure?.name ?? "-")",
                ])
        case .behind(let partition, let from, let to):
            metrics.rewinds.add()
            metrics.rewoundRecords.add(UInt64(max(0, to &- from)))
            log.error(
                "the database is behind what was stored, as after a restore: records are read again",
                metadata: [
                    "topic": "\(partition.topic)", "partition": "\(partition.partition)", "from": "\(from)", "to": "\(to &- 1)",
                    "offsets": "\(to &- from)",
                ])
        case .paused(let obstacle):
            metrics.paused.set(1)
            metrics.pauses.add(obstacle.rawValue)
            log.warning("intake paused", metadata: ["cause": "\(obstacle.rawValue)"])
        case .resumed:
            metrics.paused.set(0)
            log.info("intake resumed")
        }
    }
}

extension [TopicPartition] {
    /// As in `orders/0,orders/1`.
    fileprivate var text: String { map(\.description).joined(separator: ",") }
}

extension Int {
    /// True for powers of two, so that a long outage does not fill the log.
    fileprivate var isWorthALine: Bool { self > 0 && self & (self - 1) == 0 }
}

extension Logger {
    /// Writes a line of librdkafka's own log as a notice at most, because important events come as events too.
    func clientLine(_ level: Int, _ facility: String, _ message: String) {
        log(level: level <= 4 ? .notice : .debug, "kafka client", metadata: ["facility": "\(facility)", "detail": "\(message)"])
    }
}

internal import CRdkafka

/// A member of a consumer group. Used by one thread, which watches `descriptor` and polls when it turns readable,
/// and at least once within `max.poll.interval.ms` (5 minutes) otherwise.
///
/// Only `commit` commits offsets; partitions are assigned and revoked one by one (cooperative rebalancing).
@safe public final class Consumer {
    private let client: OpaquePointer
    private var queue: EventQueue?
    private var brokersAreUp: Bool?
    private var statisticsWithoutBroker = 0
    /// This many statistics in a row without a broker are an outage.
    private static let outageStatistics = 3
    private var hadAssignment = false
    /// Revoked and not released yet.
    private var owed: [TopicPartition] = []
    /// Partitions of deleted topics. If such a topic is created again, it is read from the beginning and not from the committed offset.
    private var vanished: Set<TopicPartition> = []
    /// How long the group's coordinator, which has just answered, may take to tell the committed offsets.
    private static let committedLimit: Duration = .seconds(3)
    private var groupLeave: GroupLeave?
    private var isClosed = false

    /// Readable when `poll` has something to give; cleared by `poll`.
    public let descriptor: Int32

    /// Starts joining the group at once; no broker has to be there yet.
    public init(_ configuration: ConsumerConfiguration) throws(KafkaError) {
        let handle = try configuration.handle()
        handle.enable(
            RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT
                | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS
                | RD_KAFKA_EVENT_LOG)
        let client = unsafe try handle.client(RD_KAFKA_CONSUMER)
        unsafe rd_kafka_poll_set_consumer(client)
        guard let queue = unsafe EventQueue(rd_kafka_queue_get_consumer(client)) else {
            unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            throw .descriptor()
        }
        unsafe rd_kafka_set_log_queue(client, queue.pointer)
        descriptor = queue.descriptor
        unsafe self.client = client
        self.queue = consume queue
        let code = unsafe PartitionList.with(
            configuration.topics.map { TopicPartition($0, RD_KAFKA_PARTITION_UA) }
        ) { unsafe rd_kafka_subscribe(client, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
    }

    deinit {
        if groupLeave == nil { answerWhatIsQueued(until: .now + .seconds(1)) }
        queue = nil
        let groupLeave = unsafe self.groupLeave ?? GroupLeave(client, hadAssignment: hadAssignment)
        groupLeave.end()
    }

    /// Clears the descriptor without taking events, for a caller that will poll later by itself.
    /// The descriptor stays unreadable until that poll.
    public func postponePoll() { queue?.clearWakeUp() }

    /// Takes what has arrived, up to the limits or the first event that is not a record. Waits only for the committed offsets of partitions
    /// that the group assigns.
    public func poll(_ limits: PollLimits) -> ConsumerPoll {
        var poll = ConsumerPoll()
        queue?.clearWakeUp()
        var bytes = 0
        while poll.event == nil {
            guard poll.records.count < limits.records, bytes < limits.bytes else {
                poll.more = true
                return poll
            }
            guard let event = unsafe queue?.next() else { return poll }
            defer { unsafe rd_kafka_event_destroy(event) }
            if unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH {
                while let message = unsafe rd_kafka_event_message_next(event) {
                    let record = unsafe KafkaRecord(copying: message)
                    if !vanished.isEmpty { vanished.remove(record.topicPartition) }
                    bytes += record.sizeBytes
                    poll.records.append(record)
                }
            } else {
                poll.event = unsafe self.event(event)
            }
        }
        poll.more = true
        return poll
    }

    /// Asks the broker to keep the offsets; the answer comes as `.committed`.
    public func commit(_ offsets: [NextOffset]) throws(KafkaError) {
        guard !offsets.isEmpty, queue != nil else { return }
        let queue = unsafe self.queue?.pointer
        let code = unsafe PartitionList.with(offsets) {
            unsafe rd_kafka_commit_queue(client, $0, queue, nil, nil)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
    }

    /// Answers `.revoking`: the partitions may go to another member, after the commits asked for before.
    public func release(_ partitions: [TopicPartition]) throws(KafkaError) {
        owed.removeAll { partitions.contains($0) }
        let failure = unsafe KafkaError(
            consuming: PartitionList.with(partitions) { unsafe rd_kafka_incremental_unassign(client, $0) }
        )
        if let failure { throw failure }
    }

    /// Stops fetching from the partitions and drops their prefetched records; `resume` continues after the last polled record.
    public func pause(_ partitions: [TopicPartition]) {
        guard !partitions.isEmpty else { return }
        // A partition that is no longer assigned is marked in the list, which is all there is to say about it.
        _ = unsafe PartitionList.with(partitions) { unsafe rd_kafka_pause_partitions(client, $0) }
    }

    public func resume(_ partitions: [TopicPartition]) {
        guard !partitions.isEmpty else { return }
        _ = unsafe PartitionList.with(partitions) { unsafe rd_kafka_resume_partitions(client, $0) }
    }

    /// Goes back to the first record there is, forgetting what was read ahead. Allowed while paused, and while the topic is away.
    public func restart(_ partitions: [TopicPartition]) {
        guard !partitions.isEmpty else { return }
        let beginnings = partitions.map { NextOffset($0, Int64(RD_KAFKA_OFFSET_BEGINNING)) }
        // Not waited for; a partition that is not being read has nothing to go back in.
        _ = unsafe KafkaError(consuming: PartitionList.with(beginnings) { unsafe rd_kafka_seek_partitions(client, $0, 0) })
    }

    /// Continues at the offsets, forgetting what was read ahead. Allowed while paused.
    /// - Returns: the partitions that are not read yet, or not any more. Try again, unless they were taken away.
    public func seek(_ offsets: [NextOffset]) -> [TopicPartition] {
        guard !offsets.isEmpty else { return [] }
        return unsafe PartitionList.with(offsets) { list in
            // Each partition is answered for by the client itself, without a request to a broker.
            let failure = unsafe KafkaError(consuming: rd_kafka_seek_partitions(client, list, 1_000))
            return unsafe PartitionList.elements(of: list).filter { failure != nil || $0.code != RD_KAFKA_RESP_ERR_NO_ERROR }
                .map(\.next.partition)
        }
    }

    /// The offset after the partition's newest record, as of the last fetch from it; nil before the first. Costs no request.
    public func highWatermark(of partition: TopicPartition) -> Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = unsafe rd_kafka_get_watermark_offsets(
            client, partition.topic, partition.partition, &low, &high)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0 ? high : nil
    }

    /// The offset of the first record that Kafka still has, as of the last fetch from the partition; nil before the first. Costs no request.
    public func lowWatermark(of partition: TopicPartition) -> Int64? {
        var low: Int64 = 0
        var high: Int64 = 0
        let code = unsafe rd_kafka_get_watermark_offsets(client, partition.topic, partition.partition, &low, &high)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 ? low : nil
    }

    /// Commits `offsets`, gives the partitions back and leaves the group, waiting for the brokers at most for `limit`.
    /// Returns the commit's results; the consumer cannot be used afterwards.
    @discardableResult
    public func close(committing offsets: [NextOffset] = [], within limit: Duration) -> [CommitResult] {
        guard !isClosed else { return [] }
        isClosed = true
        let start = ContinuousClock.now
        let deadline = start + limit
        var results = answerWhatIsQueued(until: deadline)
        // Without a broker the leave request cannot be sent; the group removes the member after its session timeout.
        guard brokersAreUp != false else { return results }
        if !offsets.isEmpty {
            do throws(KafkaError) {
                try commit(offsets)
            } catch {
                return results + offsets.map { CommitResult(next: $0, failure: error) }
            }
            while !offsets.allSatisfy({ offset in results.contains { $0.next == offset } }) {
                guard ContinuousClock.now < start + limit / 2 else { return results }
                if let event = unsafe queue?.next(waitingMilliseconds: 10) { results += unsafe answer(event) }
            }
        }
        // librdkafka would wait for an unanswered rebalance.
        results += answerWhatIsQueued(until: deadline)
        unsafe groupLeave = GroupLeave(client, hadAssignment: hadAssignment)
        groupLeave?.begin()
        groupLeave?.serve(until: deadline)
        return results
    }

    /// Answers a queued rebalance that the group waits for, and one that the caller has not answered yet. Returns results of commits.
    @discardableResult
    private func answerWhatIsQueued(until deadline: ContinuousClock.Instant) -> [CommitResult] {
        if !owed.isEmpty { try? release(owed) }  // a refusal means that there is nothing left to release
        var results: [CommitResult] = []
        while ContinuousClock.now < deadline, let event = unsafe queue?.next() { results += unsafe answer(event) }
        return results
    }

    private func answer(_ event: OpaquePointer) -> [CommitResult] {
        defer { unsafe rd_kafka_event_destroy(event) }
        switch unsafe self.event(event) {
        case .revoking(let partitions): try? release(partitions)  // as above
        case .committed(let results): return results
        case .assigned, .lost, .vanished, .ended, .brokersDown, .brokersUp, .failure, .log, nil: break
        }
        return []
    }

    // MARK: Events

    private func event(_ event: OpaquePointer) -> ConsumerEvent? {
        switch unsafe rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_REBALANCE: return unsafe rebalance(event)
        case RD_KAFKA_EVENT_OFFSET_COMMIT: return unsafe .committed(commitResults(event))
        case RD_KAFKA_EVENT_ERROR: return unsafe failure(event)
        case RD_KAFKA_EVENT_STATS:
            return brokers(areUp: unsafe crdkafka_any_broker_up(rd_kafka_event_stats(event)) != 0)
        case RD_KAFKA_EVENT_LOG: return unsafe logLine(event)
        case let unknown:
            return .log(level: 5, facility: "EVENT", message: "event of type \(unknown) dropped")
        }
    }

    private func rebalance(_ event: OpaquePointer) -> ConsumerEvent {
        let list = unsafe rd_kafka_event_topic_partition_list(event)
        let partitions = unsafe PartitionList.partitions(of: list)
        if unsafe rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            hadAssignment = true
            // A pause outlives the assignment it was made in. Before anything is fetched: resuming later what is not paused
            // would drop what was read ahead for good.
            resume(partitions)
            let committed = committedOffsets(of: partitions)
            for index in unsafe 0..<Int(list?.pointee.cnt ?? 0) {
                if let offset = committed?[partitions[index]] {
                    unsafe list?.pointee.elems[index].offset = offset
                } else if committed != nil || vanished.contains(partitions[index]) {
                    unsafe list?.pointee.elems[index].offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
                }
            }
            vanished.subtract(partitions)
            if let failure = unsafe KafkaError(consuming: rd_kafka_incremental_assign(client, list)) {
                return .failure(failure, nil)
            }
            let known = partitions.compactMap { one in committed?[one].map { NextOffset(one, $0) } }
            return .assigned(partitions, committed: known)
        }
        guard unsafe rd_kafka_assignment_lost(client) != 0 || partitions.isEmpty else {
            owed = partitions
            return .revoking(partitions)
        }
        owed = []
        if let failure = unsafe KafkaError(consuming: rd_kafka_incremental_unassign(client, list)) {
            return .failure(failure, nil)
        }
        return .lost(partitions)
    }

    /// Where the group continues. A partition of a topic that was deleted has no offset.
    /// - Returns: nil when the coordinator did not answer in time. Then the client asks by itself, without an end.
    private func committedOffsets(of partitions: [TopicPartition]) -> [TopicPartition: Int64]? {
        unsafe PartitionList.with(partitions) { list in
            guard unsafe rd_kafka_committed(client, list, Self.committedLimit.wholeMilliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR else {
                return nil
            }
            var committed: [TopicPartition: Int64] = [:]
            for element in unsafe PartitionList.elements(of: list) {
                guard element.code == RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
                let next = element.next
                if next.offset >= 0, !vanished.contains(next.partition) { committed[next.partition] = next.offset }
            }
            return committed
        }
    }

    private func commitResults(_ event: OpaquePointer) -> [CommitResult] {
        let whole = unsafe rd_kafka_event_error(event)
        return unsafe PartitionList.elements(of: rd_kafka_event_topic_partition_list(event)).map {
            element in
            let code = element.code == RD_KAFKA_RESP_ERR_NO_ERROR ? whole : element.code
            return CommitResult(
                next: element.next, failure: code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(code))
        }
    }

    private func failure(_ event: OpaquePointer) -> ConsumerEvent? {
        let code = unsafe rd_kafka_event_error(event)
        if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
            statisticsWithoutBroker = Self.outageStatistics
            return brokers(areUp: false)
        }
        let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
        let isFatal = unsafe rd_kafka_event_error_is_fatal(event) != 0
        let element = unsafe rd_kafka_event_topic_partition(event)
        defer { if let element = unsafe element { unsafe rd_kafka_topic_partition_destroy(element) } }
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            guard let element = unsafe element?.pointee, unsafe element.offset >= 0 else { return nil }
            return unsafe .ended(TopicPartition(String(cString: element.topic), element.partition), at: element.offset)
        }
        let partition = unsafe element.map {
            unsafe TopicPartition(String(cString: $0.pointee.topic), $0.pointee.partition)
        }
        let failure = KafkaError(isFatal ? fatalCode ?? code : code, message: text, isFatal: isFatal)
        guard failure.kind == .unknownTopic else { return .failure(failure, partition) }
        // The topic may vanish before a partition of it was requested. Then the error has no partition, and only its text names the topic.
        let gone = partition.map { [$0] } ?? held().filter { text?.contains(": \($0.topic): ") ?? false }
        let news = gone.filter { vanished.insert($0).inserted }
        if !news.isEmpty { return .vanished(news) }
        return partition == nil ? .failure(failure, nil) : nil
    }

    /// The cause of a fatal error, whose own code says only that it is fatal.
    private var fatalCode: rd_kafka_resp_err_t? {
        var text = ErrorText()
        let code = unsafe text.filled { unsafe rd_kafka_fatal_error(client, $0, $1) }
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : code
    }

    /// The partitions that librdkafka has been told to read.
    private func held() -> [TopicPartition] {
        var list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
        guard unsafe rd_kafka_assignment(client, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list else { return [] }
        defer { unsafe rd_kafka_topic_partition_list_destroy(list) }
        return unsafe PartitionList.partitions(of: list)
    }

    /// librdkafka reports when the last broker is lost, but only its statistics show that one is connected again. A single
    /// statistic without a broker is not an outage, because the client may be reconnecting.
    private func brokers(areUp: Bool) -> ConsumerEvent? {
        statisticsWithoutBroker = areUp ? 0 : min(statisticsWithoutBroker + 1, Self.outageStatistics)
        guard brokersAreUp != areUp, areUp || statisticsWithoutBroker == Self.outageStatistics else { return nil }
        brokersAreUp = areUp
        return areUp ? .brokersUp : .brokersDown
    }

    private func logLine(_ event: OpaquePointer) -> ConsumerEvent? {
        guard let line = unsafe LogLine(event) else { return nil }
        return .log(level: line.level, facility: line.facility, message: line.message)
    }
}

internal import CRdkafka

/// Where a range of a partition begins or ends.
public enum RangeBound: Equatable, Sendable {
    /// The oldest record that Kafka still has.
    case beginning
    /// Behind the newest record.
    case end
    case offset(Int64)
    /// Milliseconds since 1970, by the timestamps of the records.
    case time(Int64)
}

/// A range of a partition, as offsets.
public struct PartitionRange: Equatable, Sendable {
    public var partition: TopicPartition
    /// The oldest offset that Kafka still has, and the one behind the newest.
    public var kept: Range<Int64>
    /// The records to read; empty when the range has none.
    public var range: Range<Int64>

    public init(_ partition: TopicPartition, kept: Range<Int64>, range: Range<Int64>) {
        self.partition = partition
        self.kept = kept
        self.range = range
    }
}

/// Reads a range of partitions once, in its own client: it joins no group and commits nothing, so a hub that reads the same topics notices
/// nothing. Blocks: for the command line.
@safe public final class RangeReader {
    private let client: OpaquePointer
    private var queue: EventQueue?
    private var unreachability: Unreachability
    private let limit: Duration
    /// librdkafka before 2.3 may never return from freeing a consumer that was refused a topic.
    private var wasRefused = false

    /// - Parameters:
    ///   - group: is neither joined nor written to, but librdkafka needs a name, and the brokers may ask for the right to it.
    ///   - limit: how long the brokers may be silent before the reading is given up.
    public init(brokers: String, group: String, properties: ClientProperties, within limit: Duration) throws(KafkaError) {
        let handle = try ConfigurationHandle(
            defaults: [
                ("client.id", "hub"), ("fetch.wait.max.ms", "50"), ("fetch.error.backoff.ms", "50"),
                ("queued.max.messages.kbytes", "16384"),
                ("reconnect.backoff.max.ms", "2000"), ("socket.keepalive.enable", "true"),
            ], own: properties,
            fixed: [
                ("bootstrap.servers", brokers), ("group.id", group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
                ("enable.partition.eof", "true"), ("auto.offset.reset", "error"),
            ])
        handle.silence()
        handle.enable(RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR)
        let client = unsafe try handle.client(RD_KAFKA_CONSUMER)
        unsafe rd_kafka_poll_set_consumer(client)
        guard let queue = unsafe EventQueue(rd_kafka_queue_get_consumer(client)) else {
            unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            throw .descriptor()
        }
        unsafe self.client = client
        self.queue = consume queue
        self.limit = limit
        unreachability = Unreachability(within: limit)
    }

    deinit {
        queue = nil
        if !wasRefused { unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE) }
    }

    /// The offsets of a range in each partition. A time is that of the first record at it or after it.
    public func ranges(of partitions: [TopicPartition], from: RangeBound, to: RangeBound) throws(KafkaError) -> [PartitionRange] {
        var kept: [Range<Int64>] = []
        for partition in partitions {
            var (low, high): (Int64, Int64) = (0, 0)
            let code = unsafe rd_kafka_query_watermark_offsets(
                client, partition.topic, partition.partition, &low, &high, limit.wholeMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw refused(KafkaError(code)) }
            kept.append(low..<max(low, high))
        }
        let starts = try offsets(from, partitions, kept)
        let ends = try offsets(to, partitions, kept)
        var ranges: [PartitionRange] = []
        for (index, partition) in partitions.enumerated() {
            var start = starts[index] ?? kept[index].upperBound
            if starts[index] == nil, case .time(let time) = from, try isLastRecord(of: partition, kept[index], at: time) {
                // The broker does not search by time, as librdkafka's mock cluster: every record is read and compared.
                start = kept[index].lowerBound
            }
            let end = min(ends[index] ?? kept[index].upperBound, kept[index].upperBound)
            start = max(start, kept[index].lowerBound)
            ranges.append(PartitionRange(partition, kept: kept[index], range: start..<max(start, end)))
        }
        return ranges
    }

    /// Nil for a time after the newest record.
    private func offsets(
        _ bound: RangeBound, _ partitions: [TopicPartition], _ kept: [Range<Int64>]
    ) throws(KafkaError) -> [Int64?] {
        switch bound {
        case .beginning: return kept.map(\.lowerBound)
        case .end: return kept.map(\.upperBound)
        case .offset(let offset): return kept.map { _ in offset }
        case .time(let time):
            let found: Result<[Int64?], KafkaError> = unsafe PartitionList.with(partitions.map { NextOffset($0, time) }) { list in
                let code = unsafe rd_kafka_offsets_for_times(client, list, limit.wholeMilliseconds)
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return .failure(KafkaError(code)) }
                let elements = unsafe PartitionList.elements(of: list)
                if let failure = elements.first(where: { $0.code != RD_KAFKA_RESP_ERR_NO_ERROR }) {
                    return .failure(KafkaError(failure.code))
                }
                return .success(elements.map { $0.next.offset >= 0 ? $0.next.offset : nil })
            }
            do throws(KafkaError) { return try found.get() } catch { throw refused(error) }
        }
    }

    /// Whether the partition's last record is of this time or later.
    private func isLastRecord(of partition: TopicPartition, _ kept: Range<Int64>, at time: Int64) throws(KafkaError) -> Bool {
        guard !kept.isEmpty else { return false }
        var isThere = false
        try read([PartitionRange(partition, kept: kept, range: kept.upperBound - 1..<kept.upperBound)]) { record in
            isThere = (record.timestamp ?? .min) >= time
            return true
        }
        return isThere
    }

    /// Gives each record of the ranges, in the order of its partition, until `visit` returns false.
    public func read(_ ranges: [PartitionRange], _ visit: (KafkaRecord) -> Bool) throws(KafkaError) {
        var open: [TopicPartition: Int64] = [:]
        for range in ranges where !range.range.isEmpty { open[range.partition] = range.range.upperBound }
        guard !open.isEmpty else { return }
        let starts = ranges.filter { !$0.range.isEmpty }.map { NextOffset($0.partition, $0.range.lowerBound) }
        // A pause outlives the assignment that it was made in.
        _ = unsafe PartitionList.with(starts.map(\.partition)) { unsafe rd_kafka_resume_partitions(client, $0) }
        let code = unsafe PartitionList.with(starts) { unsafe rd_kafka_assign(client, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
        defer { unsafe rd_kafka_assign(client, nil) }
        unreachability = Unreachability(within: limit)
        while !open.isEmpty {
            guard let event = unsafe queue?.next(waitingMilliseconds: 100) else {
                guard unreachability.isCertain else { continue }
                throw refused(
                    unreachability.reason
                        ?? KafkaError(kind: .unreachable, name: "_TIMED_OUT", message: "no record came within \(limit)"))
            }
            defer { unsafe rd_kafka_event_destroy(event) }
            guard unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH else {
                if let ended = unsafe try end(event) { open[ended] = nil }
                continue
            }
            unreachability = Unreachability(within: limit)
            while let message = unsafe rd_kafka_event_message_next(event) {
                let record = unsafe KafkaRecord(copying: message)
                guard let end = open[record.topicPartition] else { continue }
                if record.offset < end, !visit(record) { return }
                guard record.offset >= end - 1 else { continue }
                open[record.topicPartition] = nil
                _ = unsafe PartitionList.with([record.topicPartition]) { unsafe rd_kafka_pause_partitions(client, $0) }
            }
        }
    }

    /// The partition whose end was reached; nil for other news.
    private func end(_ event: OpaquePointer) throws(KafkaError) -> TopicPartition? {
        let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
        let failure = unsafe KafkaError(rd_kafka_event_error(event), message: text)
        let element = unsafe rd_kafka_event_topic_partition(event)
        defer { if let element = unsafe element { unsafe rd_kafka_topic_partition_destroy(element) } }
        if failure.name == "_PARTITION_EOF", let element = unsafe element {
            return unsafe TopicPartition(String(cString: element.pointee.topic), element.pointee.partition)
        }
        // What was between the question and the reading may have been removed, and the record of a refused topic never comes.
        if failure.kind == .unauthorized || failure.kind == .unknownTopic || failure.name == "_AUTO_OFFSET_RESET" { throw refused(failure) }
        unreachability.hear(failure)
        return nil
    }

    private func refused(_ failure: KafkaError) -> KafkaError {
        if failure.kind == .unauthorized { wasRefused = true }
        return failure
    }
}

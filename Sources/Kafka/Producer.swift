internal import CRdkafka

public struct ProducerConfiguration: Equatable, Sendable {
    /// `host:port`, separated by commas.
    public var brokers: String
    /// Records taken by `produce` and not yet reported; the next is refused with `.queueFull`.
    public var queueRecords: Int = 10_000
    public var queueKibibytes: Int = 16 * 1_024
    /// A record that no broker took within this time is reported as failed.
    public var deliveryTimeout: Duration = .seconds(30)
    /// How long a batch waits for more records.
    public var linger: Duration = .milliseconds(2)
    public var acknowledgement = Acknowledgement.allReplicas
    /// Anything else, by librdkafka's names.
    public var properties = ClientProperties()

    public enum Acknowledgement: Equatable, Sendable {
        /// By all replicas that are in sync, and no record twice.
        case allReplicas
        /// By the leader of the partition alone: sooner, and a record may be lost or repeated.
        case leader
    }

    public init(brokers: String) { self.brokers = brokers }

    func handle() throws(KafkaError) -> ConfigurationHandle {
        try ConfigurationHandle(
            defaults: [
                ("client.id", "hub"),
                ("queue.buffering.max.messages", String(queueRecords)),
                ("queue.buffering.max.kbytes", String(queueKibibytes)),
                ("message.timeout.ms", String(max(1, deliveryTimeout.wholeMilliseconds))),
                ("linger.ms", String(linger.wholeMilliseconds)),
                // The Java clients' choice: the same key goes to the same partition from every client.
                ("partitioner", "murmur2_random"),
                ("reconnect.backoff.max.ms", "5000"),
                ("socket.keepalive.enable", "true"),
            ],
            own: properties,
            fixed: [
                ("bootstrap.servers", brokers), ("enable.idempotence", acknowledgement == .allReplicas ? "true" : "false"),
                ("acks", acknowledgement == .allReplicas ? "all" : "1"), ("log.queue", "true"),
            ])
    }
}

/// The result of one record; reported exactly once for each record that `produce` accepted.
public struct DeliveryReport: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        case written(TopicPartition, offset: Int64)
        case failed(KafkaError)
    }
    /// As given to `produce`.
    public var token: UInt64
    public var outcome: Outcome
}

/// Writes records: idempotent, acknowledged by all in-sync replicas. Used by one thread, which watches `descriptor`
/// and polls when it turns readable.
@safe public final class Producer {
    private let client: OpaquePointer
    private var queue: EventQueue?

    /// Readable when `poll` has something to give; cleared by `poll`.
    public let descriptor: Int32

    public init(_ configuration: ProducerConfiguration) throws(KafkaError) {
        let handle = try configuration.handle()
        handle.enable(RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG)
        let client = unsafe try handle.client(RD_KAFKA_PRODUCER)
        guard let queue = unsafe EventQueue(rd_kafka_queue_get_main(client)) else {
            unsafe rd_kafka_destroy(client)
            throw .descriptor()
        }
        unsafe rd_kafka_set_log_queue(client, queue.pointer)
        descriptor = queue.descriptor
        unsafe self.client = client
        self.queue = consume queue
    }

    /// Takes a copy of the record and writes it in the background.
    /// - Throws: `.queueFull`, `.recordTooLarge`, `.unknownTopic` or `.fatal`; no report follows then.
    public func produce(_ record: OutgoingRecord, token: UInt64 = 0) throws(KafkaError) {
        let headers = unsafe rd_kafka_headers_new(record.headers.count)!
        for header in record.headers {
            let count = header.value?.count ?? 0
            _ = unsafe (header.value ?? []).withUnsafeBytes {
                unsafe crdkafka_header_add(
                    headers, header.name, header.value == nil ? 0 : 1, $0.baseAddress, count)
            }
        }
        let code = unsafe (record.key ?? []).withUnsafeBytes { key in
            unsafe (record.value ?? []).withUnsafeBytes { value in
                unsafe crdkafka_produce(
                    client, record.topic, record.partition ?? RD_KAFKA_PARTITION_UA,
                    record.key == nil ? 0 : 1, key.baseAddress, key.count,
                    record.value == nil ? 0 : 1, value.baseAddress, value.count, headers, token)
            }
        }
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else {
            queuedRecords += 1
            return
        }
        unsafe rd_kafka_headers_destroy(headers)
        throw KafkaError(code)
    }

    /// The reports that have arrived. Never waits.
    public func poll() -> ProducerPoll {
        queue?.clearWakeUp()
        var poll = ProducerPoll()
        while let event = unsafe queue?.next() { unsafe take(event, into: &poll) }
        return poll
    }

    /// Waits until every record was reported, at most for `limit`, and returns what `poll` would have.
    /// Records without a report by then stay queued. Blocks: for command-line use and shutting down.
    public func flush(within limit: Duration) -> ProducerPoll {
        let deadline = ContinuousClock.now + limit
        var poll = self.poll()
        while queuedRecords > 0, ContinuousClock.now < deadline {
            if let event = unsafe queue?.next(waitingMilliseconds: 10) { unsafe take(event, into: &poll) }
        }
        return poll
    }

    /// Records taken by `produce` whose report was not yet taken from `poll`.
    public private(set) var queuedRecords = 0

    /// Drops what was not written: call `flush` before.
    deinit {
        unsafe rd_kafka_purge(
            client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING)
        _ = poll()
        queue = nil
        unsafe rd_kafka_destroy(client)
    }

    private func take(_ event: OpaquePointer, into poll: inout ProducerPoll) {
        defer { unsafe rd_kafka_event_destroy(event) }
        switch unsafe rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_DR:
            while let message = unsafe rd_kafka_event_message_next(event) {
                queuedRecords -= 1
                poll.reports.append(unsafe report(message))
            }
        case RD_KAFKA_EVENT_ERROR:
            let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
            poll.failures.append(
                unsafe KafkaError(
                    rd_kafka_event_error(event), message: text,
                    isFatal: rd_kafka_event_error_is_fatal(event) != 0))
        case RD_KAFKA_EVENT_LOG:
            if let line = unsafe LogLine(event) {
                poll.log.append((line.level, line.facility, line.message))
            }
        case let unknown: poll.log.append((5, "EVENT", "event of type \(unknown) dropped"))
        }
    }

    private func report(_ message: UnsafePointer<rd_kafka_message_t>) -> DeliveryReport {
        let fields = unsafe message.pointee
        let token = unsafe crdkafka_token(message)
        guard unsafe fields.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return unsafe DeliveryReport(token: token, outcome: .failed(KafkaError(fields.err)))
        }
        let partition = unsafe TopicPartition(
            String(cString: rd_kafka_topic_name(fields.rkt)), fields.partition)
        return unsafe DeliveryReport(token: token, outcome: .written(partition, offset: fields.offset))
    }
}

public struct ProducerPoll: Sendable {
    public var reports: [DeliveryReport] = []
    /// The client deals with these by itself unless the kind is `.fatal`: then it must be created again.
    public var failures: [KafkaError] = []
    /// librdkafka's own log. Level as in syslog.
    public var log: [(level: Int, facility: String, message: String)] = []
}

extension Producer {
    /// Writes the records and waits until all are acknowledged, for command-line use.
    /// - Throws: the first record's failure; `.unreachable` when no report came in time.
    public func write(_ records: [OutgoingRecord], within limit: Duration) throws(KafkaError) {
        for (token, record) in records.enumerated() { try produce(record, token: UInt64(token)) }
        let poll = flush(within: limit)
        for report in poll.reports {
            if case .failed(let failure) = report.outcome { throw failure }
        }
        guard poll.reports.count == records.count else {
            throw KafkaError(
                kind: .unreachable, name: "_TIMED_OUT",
                message: "no broker acknowledged the record within \(limit)")
        }
    }
}

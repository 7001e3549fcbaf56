internal import CRdkafka

/// Reads all partitions of a topic from their ends, without a place in a consumer group: each reader gets everything. What was written while
/// it did not read is read later, if the broker still has it. Used by one thread, which watches `descriptor` and polls when it turns readable.
@safe public final class TailReader {
    private let client: OpaquePointer
    private var queue: EventQueue?

    /// Readable when `poll` has something to give; cleared by `poll`.
    public let descriptor: Int32

    public struct Poll: Sendable {
        public var values: [[UInt8]] = []
        /// The client deals with these by itself, as far as it can.
        public var failures: [KafkaError] = []
        /// More has come than was asked for.
        public var more = false
    }

    /// - Parameters:
    ///   - group: is neither joined nor written to, but librdkafka needs its name, and the brokers the right to it.
    ///   - fetchWait: as of `ConsumerConfiguration`.
    public init(
        _ topic: String, partitions: Int, brokers: String, group: String, fetchWait: Duration, properties: ClientProperties
    ) throws(KafkaError) {
        let handle = try ConfigurationHandle(
            defaults: [
                ("client.id", "hub"), ("fetch.wait.max.ms", String(fetchWait.wholeMilliseconds)), ("fetch.error.backoff.ms", "100"),
                ("queued.max.messages.kbytes", "16384"), ("reconnect.backoff.max.ms", "2000"), ("socket.keepalive.enable", "true"),
            ], own: properties,
            fixed: [
                ("bootstrap.servers", brokers), ("group.id", group), ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
                // What is older is repaired from the database.
                ("auto.offset.reset", "latest"),
            ])
        handle.silence()
        handle.enable(RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_ERROR)
        let client = unsafe try handle.client(RD_KAFKA_CONSUMER)
        unsafe rd_kafka_poll_set_consumer(client)
        guard let queue = unsafe EventQueue(rd_kafka_queue_get_consumer(client)) else {
            unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            throw .descriptor()
        }
        descriptor = queue.descriptor
        unsafe self.client = client
        self.queue = consume queue
        let ends = (0..<max(1, partitions)).map { NextOffset(TopicPartition(topic, Int32($0)), Int64(RD_KAFKA_OFFSET_END)) }
        let code = unsafe PartitionList.with(ends) { unsafe rd_kafka_assign(client, $0) }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
    }

    /// Blocks for a moment: librdkafka ends its threads.
    deinit {
        queue = nil
        unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }

    /// Takes what has arrived, up to so many records. Never waits.
    public func poll(_ most: Int) -> Poll {
        queue?.clearWakeUp()
        var poll = Poll()
        while poll.values.count < most {
            guard let event = unsafe queue?.next() else { return poll }
            defer { unsafe rd_kafka_event_destroy(event) }
            if unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH {
                while let message = unsafe rd_kafka_event_message_next(event) {
                    if let value = unsafe KafkaRecord(copying: message).value { poll.values.append(value) }
                }
            } else {
                let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
                poll.failures.append(unsafe KafkaError(rd_kafka_event_error(event), message: text))
            }
        }
        poll.more = true
        return poll
    }
}

internal import CRdkafka

/// Finds out whether a group may read topics, without joining it: a check must not take partitions from a hub that runs.
public struct ReadProbe: Sendable {
    private let brokers: String
    private let group: String
    private let properties: ClientProperties

    public init(brokers: String, group: String, properties: ClientProperties) {
        self.brokers = brokers
        self.group = group
        self.properties = properties
    }

    /// Asks for the group's committed offsets and fetches from the end of one partition of each topic. Blocks for at most about twice
    /// `limit`.
    /// - Returns: what is refused, by the group's or the topic's name. Other failures are no refusals.
    public func refusals(topics: [String], within limit: Duration) throws(KafkaError) -> [(name: String, failure: KafkaError)] {
        let handle = try ConfigurationHandle(
            defaults: [("client.id", "hub"), ("fetch.wait.max.ms", "100")], own: properties,
            fixed: [("bootstrap.servers", brokers), ("group.id", group), ("enable.auto.commit", "false"), ("enable.partition.eof", "true")])
        handle.silence()
        handle.enable(RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_FETCH)
        let client = unsafe try handle.client(RD_KAFKA_CONSUMER)
        unsafe rd_kafka_poll_set_consumer(client)
        let partitions = topics.map { TopicPartition($0, 0) }
        var refusals: [(name: String, failure: KafkaError)] = []
        if let failure = unsafe refusalOfGroup(client, partitions, within: limit) { refusals.append((group, failure)) }
        refusals += unsafe refusalsOfTopics(client, partitions, within: limit)
        // librdkafka before 2.3 may never return from freeing a consumer that was refused a topic. The command is about to end anyway.
        guard refusals.isEmpty else { return refusals }
        unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        return []
    }

    private func refusalOfGroup(_ client: OpaquePointer, _ partitions: [TopicPartition], within limit: Duration) -> KafkaError? {
        let code = unsafe PartitionList.with(partitions) { unsafe rd_kafka_committed(client, $0, limit.wholeMilliseconds) }
        let failure = KafkaError(code)
        return failure.kind == .unauthorized ? failure : nil
    }

    private func refusalsOfTopics(
        _ client: OpaquePointer, _ partitions: [TopicPartition], within limit: Duration
    ) -> [(name: String, failure: KafkaError)] {
        guard !partitions.isEmpty, let queue = unsafe rd_kafka_queue_get_consumer(client) else { return [] }
        defer { unsafe rd_kafka_queue_destroy(queue) }
        _ = unsafe PartitionList.with(partitions.map { NextOffset($0, Int64(RD_KAFKA_OFFSET_END)) }) { unsafe rd_kafka_assign(client, $0) }
        var refusals: [(name: String, failure: KafkaError)] = []
        var open = Set(partitions)
        let end = ContinuousClock.now + limit
        // The end of a partition may be told before the refusal that came with it.
        var certain = end
        while ContinuousClock.now < min(end, certain) {
            if open.isEmpty, certain == end { certain = .now + .milliseconds(300) }
            guard let event = unsafe rd_kafka_queue_poll(queue, 50) else { continue }
            defer { unsafe rd_kafka_event_destroy(event) }
            if unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH {
                while let message = unsafe rd_kafka_event_message_next(event) {
                    open.remove(unsafe TopicPartition(String(cString: rd_kafka_topic_name(message.pointee.rkt)), message.pointee.partition))
                }
                continue
            }
            guard let element = unsafe rd_kafka_event_topic_partition(event) else { continue }
            defer { unsafe rd_kafka_topic_partition_destroy(element) }
            let partition = unsafe TopicPartition(String(cString: element.pointee.topic), element.pointee.partition)
            let failure = unsafe KafkaError(
                rd_kafka_event_error(event), message: rd_kafka_event_error_string(event).map { unsafe String(cString: $0) })
            if failure.kind == .unauthorized { refusals.append((partition.topic, failure)) }
            // Also the end of the partition comes as an error: what was fetched is allowed.
            if failure.name == "_PARTITION_EOF" || failure.kind == .unauthorized { open.remove(partition) }
        }
        // A topic that this client may not even describe is never fetched from.
        for partition in open {
            if let failure = unsafe refusalToDescribe(client, partition.topic, within: limit) {
                refusals.append((partition.topic, failure))
            }
        }
        return refusals
    }

    private func refusalToDescribe(_ client: OpaquePointer, _ topic: String, within limit: Duration) -> KafkaError? {
        guard let handle = unsafe rd_kafka_topic_new(client, topic, nil) else { return nil }
        defer { unsafe rd_kafka_topic_destroy(handle) }
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(client, 0, handle, &answer, limit.wholeMilliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe answer else { return nil }
        defer { unsafe rd_kafka_metadata_destroy(metadata) }
        guard unsafe metadata.pointee.topic_cnt == 1 else { return nil }
        let failure = unsafe KafkaError(metadata.pointee.topics[0].err)
        return failure.kind == .unauthorized ? failure : nil
    }
}

internal import CRdkafka

/// Making a topic, through the cluster's own administration.
public struct TopicCreation: Sendable {
    private let brokers: String
    private let properties: ClientProperties

    public init(brokers: String, properties: ClientProperties) {
        self.brokers = brokers
        self.properties = properties
    }

    /// Makes the topic, with as many partitions and replicas as the brokers give by default. One that is there already is left as it is.
    /// Blocks for about `limit` at most.
    /// - Parameters:
    ///   - settings: of the topic, by Kafka's names.
    ///   - isRehearsal: only ask whether it could be made.
    public func make(
        _ topic: String, with settings: [(String, String)] = [], isRehearsal: Bool = false, within limit: Duration
    ) throws(KafkaError) {
        let handle = try ConfigurationHandle(defaults: [("client.id", "hub")], own: properties, fixed: [("bootstrap.servers", brokers)])
        handle.silence()
        let client = unsafe try handle.client(RD_KAFKA_PRODUCER)
        defer { unsafe rd_kafka_destroy(client) }
        let queue = unsafe rd_kafka_queue_new(client)!
        defer { unsafe rd_kafka_queue_destroy(queue) }
        let options = unsafe rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS)!
        defer { unsafe rd_kafka_AdminOptions_destroy(options) }
        var message = ErrorText()
        // -1, the brokers' own choice, is understood since Kafka 2.4.
        var wanted = unsafe message.filled { unsafe rd_kafka_NewTopic_new(topic, -1, -1, $0, $1) }
        guard unsafe wanted != nil else { throw KafkaError(kind: .configuration, name: "_INVALID_ARG", message: message.text) }
        defer { unsafe rd_kafka_NewTopic_destroy(wanted) }
        for (name, value) in settings { _ = unsafe rd_kafka_NewTopic_set_config(wanted, name, value) }
        let milliseconds = max(1, limit.wholeMilliseconds)
        // Neither is refused: the time is within bounds.
        _ = unsafe message.filled { unsafe rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, $0, $1) }
        _ = unsafe message.filled { unsafe rd_kafka_AdminOptions_set_validate_only(options, isRehearsal ? 1 : 0, $0, $1) }
        unsafe rd_kafka_CreateTopics(client, &wanted, 1, options, queue)
        guard let event = unsafe rd_kafka_queue_poll(queue, milliseconds &+ 500) else { throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT) }
        defer { unsafe rd_kafka_event_destroy(event) }
        if let failure = unsafe Self.failure(of: event) { throw failure }
    }

    private static func failure(of event: OpaquePointer) -> KafkaError? {
        let whole = unsafe rd_kafka_event_error(event)
        guard whole == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return unsafe KafkaError(whole, message: rd_kafka_event_error_string(event).map { unsafe String(cString: $0) })
        }
        var count = 0
        let topics = unsafe rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
        guard count > 0, let result = unsafe topics?[0] else { return KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG) }
        let code = unsafe rd_kafka_topic_result_error(result)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR, code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else { return nil }
        return unsafe KafkaError(code, message: rd_kafka_topic_result_error_string(result).map { unsafe String(cString: $0) })
    }
}

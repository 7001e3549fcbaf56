internal import CRdkafka

/// What a cluster says of itself when asked once; for checks before a start.
public struct ClusterMetadata: Equatable, Sendable {
    /// `host:port` as the cluster names them: what clients must be able to reach.
    public let brokers: [String]
    /// Partitions by topic, of the topics that exist.
    public let partitions: [String: Int]

    /// Asks the cluster. Blocks for at most about `limit`, and ends earlier when trying on would not help.
    /// - Throws: librdkafka's reason, such as a refused connection, a wrong password or a certificate that is not trusted.
    public static func fetch(brokers: String, properties: ClientProperties, within limit: Duration) throws(KafkaError) -> ClusterMetadata {
        let handle = try ConfigurationHandle(defaults: [("client.id", "hub")], own: properties, fixed: [("bootstrap.servers", brokers)])
        handle.silence()
        handle.enable(RD_KAFKA_EVENT_ERROR)
        let client = unsafe try handle.client(RD_KAFKA_PRODUCER)
        defer { unsafe rd_kafka_destroy(client) }
        let queue = unsafe rd_kafka_queue_get_main(client)!
        defer { unsafe rd_kafka_queue_destroy(queue) }
        var unreachability = Unreachability(within: limit)
        // Each attempt takes longer than the one before: a slow broker must be able to answer one of them.
        var patience: Duration = .milliseconds(500)
        while true {
            var answer: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(client, 1, nil, &answer, max(1, min(patience, unreachability.timeLeft).wholeMilliseconds))
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe answer {
                defer { unsafe rd_kafka_metadata_destroy(metadata) }
                return unsafe ClusterMetadata(metadata.pointee)
            }
            while let event = unsafe rd_kafka_queue_poll(queue, 0) {
                defer { unsafe rd_kafka_event_destroy(event) }
                guard unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR else { continue }
                let text = unsafe rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
                unreachability.hear(unsafe KafkaError(rd_kafka_event_error(event), message: text))
            }
            if unreachability.isCertain { throw unreachability.reason ?? KafkaError(code) }
            patience = patience + patience
        }
    }

    private init(_ metadata: rd_kafka_metadata) {
        brokers = unsafe (0..<Int(metadata.broker_cnt)).map { index in
            let broker = unsafe metadata.brokers[index]
            return unsafe "\(String(cString: broker.host)):\(broker.port)"
        }
        var partitions: [String: Int] = [:]
        for index in unsafe 0..<Int(metadata.topic_cnt) {
            let topic = unsafe metadata.topics[index]
            guard unsafe topic.err == RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
            partitions[unsafe String(cString: topic.topic)] = unsafe Int(topic.partition_cnt)
        }
        self.partitions = partitions
    }
}

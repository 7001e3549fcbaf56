internal import CRdkafka

/// What a cluster says of itself when asked once; for checks before a start.
public struct ClusterMetadata: Equatable, Sendable {
    /// `host:port` as the cluster names them: what clients must be able to reach.
    public let brokers: [String]
    /// Partitions by topic, of the topics that exist.
    public let partitions: [String: Int]

    /// Asks the cluster. Blocks for at most `limit`.
    public static func fetch(brokers: String, properties: ClientProperties, within limit: Duration) throws(KafkaError) -> ClusterMetadata {
        let handle = try ConfigurationHandle(defaults: [("client.id", "hub")], own: properties, fixed: [("bootstrap.servers", brokers)])
        handle.silence()
        let client = unsafe try handle.client(RD_KAFKA_PRODUCER)
        defer { unsafe rd_kafka_destroy(client) }
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(client, 1, nil, &answer, limit.wholeMilliseconds)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe answer else { throw KafkaError(code) }
        defer { unsafe rd_kafka_metadata_destroy(metadata) }
        return unsafe ClusterMetadata(metadata.pointee)
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

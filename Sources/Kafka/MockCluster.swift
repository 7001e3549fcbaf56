internal import CRdkafka

/// librdkafka's in-process broker: speaks Kafka's protocol on loopback, so `kcat` and clients in other languages can use it.
/// Holds everything in memory, at most 5 MiB a partition, and forgets it at the end. For `--embedded` and for tests.
///
/// Safe to use from any thread: `@unchecked` because librdkafka takes the cluster's own lock in each call.
@safe public final class MockCluster: @unchecked Sendable {
    private let client: OpaquePointer
    private let cluster: OpaquePointer

    /// What `ConsumerConfiguration.fetchWait` should be here: this broker answers a waiting fetch only when the wait is over,
    /// so the wait is the latency.
    public static let fetchWait: Duration = .milliseconds(5)

    /// `host:port` of every broker, separated by commas.
    public let brokers: String
    /// The port of the first broker, chosen by the system.
    public var port: UInt16 {
        brokers.split(separator: ",").first.flatMap { $0.split(separator: ":").last }.flatMap {
            UInt16($0)
        } ?? 0
    }

    public init(brokerCount: Int = 1) throws(KafkaError) {
        let handle = try ConfigurationHandle(
            defaults: [("client.id", "hub-broker")], own: ClientProperties(), fixed: [])
        handle.silence()
        let client = unsafe try handle.client(RD_KAFKA_PRODUCER)
        guard let cluster = unsafe rd_kafka_mock_cluster_new(client, Int32(clamping: brokerCount))
        else {
            unsafe rd_kafka_destroy(client)
            throw KafkaError(
                kind: .configuration, name: "_FAIL",
                message: "the in-process broker could not open its sockets")
        }
        unsafe self.client = client
        unsafe self.cluster = cluster
        unsafe brokers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        unsafe rd_kafka_mock_cluster_destroy(cluster)
        unsafe rd_kafka_destroy(client)
    }

    /// Topics are created at first use, with four partitions.
    public func createTopic(_ name: String, partitions: Int) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_topic_create(cluster, name, Int32(clamping: partitions), 1))
        // The cluster's thread misses a request that comes right after another was answered, and finds it a second later.
        _ = unsafe rd_kafka_poll(client, 5)
    }

    /// Cuts connections and refuses new ones on the broker's port until `bringUp`. All brokers when nil.
    public func takeDown(broker: Int32? = nil) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_broker_set_down(cluster, broker ?? -1))
    }
    public func bringUp(broker: Int32? = nil) throws(KafkaError) {
        try check(unsafe rd_kafka_mock_broker_set_up(cluster, broker ?? -1))
    }

    /// The kinds of request, by Kafka's API keys.
    public enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case metadata = 3
        case offsetCommit = 8
        case offsetFetch = 9
        case joinGroup = 11
        case heartbeat = 12
    }

    /// Error codes of Kafka's protocol, for `fail`.
    public enum Fault: Int32, Sendable {
        case unknownTopicOrPartition = 3
        case notLeader = 6
        case messageTooLarge = 10
        case coordinatorNotAvailable = 15
        case illegalGeneration = 22
        case unknownMember = 25
        case topicAuthorizationFailed = 29
        case groupAuthorizationFailed = 30
        /// Another member took this one's instance id: fatal to it.
        case fencedInstance = 82
    }

    /// The next requests of that kind are answered with these errors, one each.
    public func fail(_ request: Request, with faults: [Fault]) {
        let codes = faults.map { rd_kafka_resp_err_t(rawValue: $0.rawValue) }
        unsafe codes.withUnsafeBufferPointer {
            unsafe rd_kafka_mock_push_request_errors_array(
                cluster, request.rawValue, $0.count, $0.baseAddress)
        }
    }

    /// Cancels the errors of `fail` that have not been returned yet.
    public func forgetFaults(of request: Request) { unsafe rd_kafka_mock_clear_request_errors(cluster, request.rawValue) }

    /// Every answer about the topic carries the error until it is set to nil.
    public func setTopicFault(_ fault: Fault?, on topic: String) {
        unsafe rd_kafka_mock_topic_set_error(
            cluster, topic, rd_kafka_resp_err_t(rawValue: fault?.rawValue ?? 0))
    }

    private func check(_ code: rd_kafka_resp_err_t) throws(KafkaError) {
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code) }
    }
}

internal import CRdkafka

/// The library that speaks Kafka's protocol.
public enum KafkaLibrary {
    /// The version that is linked. It may be newer than the one that the hub was built with.
    public static var version: String { unsafe String(cString: rd_kafka_version_str()) }
}

internal import CRdkafka

/// A call that librdkafka refused, or a failure of a client.
public struct KafkaError: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: Equatable, Sendable {
        /// The property of that name does not exist, cannot have that value, or is the hub's own to set.
        case property(String)
        /// The configuration as a whole cannot work.
        case configuration
        /// The producer's own bounded queue is full; trying again after delivery reports were taken is right.
        case queueFull
        /// The record is larger than the client or the broker takes.
        case recordTooLarge
        /// Nothing arrived in time, or no broker could be reached.
        case unreachable
        case unknownTopic
        case unauthorized
        /// The client cannot be used any more and must be created again.
        case fatal
        case other
    }

    public let kind: Kind
    /// librdkafka's name of the code, such as `_MSG_TIMED_OUT` or `TOPIC_AUTHORIZATION_FAILED`.
    public let name: String
    public let message: String

    public init(kind: Kind, name: String, message: String) {
        self.kind = kind
        self.name = name
        self.message = message
    }

    public var description: String { "\(name): \(message)" }
}

extension KafkaError {
    init(_ code: rd_kafka_resp_err_t, message: String? = nil, isFatal: Bool = false) {
        self.init(
            kind: isFatal ? .fatal : Kind(code), name: unsafe String(cString: rd_kafka_err2name(code)),
            message: unsafe message ?? String(cString: rd_kafka_err2str(code)))
    }

    /// Takes over an error object of librdkafka's; nil means success.
    init?(consuming error: OpaquePointer?) {
        guard let error = unsafe error else { return nil }
        unsafe self.init(
            rd_kafka_error_code(error), message: String(cString: rd_kafka_error_string(error)),
            isFatal: rd_kafka_error_is_fatal(error) != 0)
        unsafe rd_kafka_error_destroy(error)
    }

    static func descriptor() -> KafkaError {
        KafkaError(
            kind: .configuration, name: "_RESOURCE",
            message: "no descriptor left for the client's wake-ups")
    }
}

extension KafkaError.Kind {
    init(_ code: rd_kafka_resp_err_t) {
        switch code {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: self = .queueFull
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            self = .recordTooLarge
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT,
            RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE:
            self = .unreachable
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            self = .unknownTopic
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR__AUTHENTICATION,
            RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            self = .unauthorized
        case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__FENCED: self = .fatal
        default: self = .other
        }
    }
}

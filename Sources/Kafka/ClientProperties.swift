internal import CRdkafka

/// Properties of librdkafka, by the names of its CONFIGURATION.md, applied in order: a later one replaces an earlier one.
public struct ClientProperties: Equatable, Sendable {
    public private(set) var pairs: [(name: String, value: String)]
    public init(_ pairs: [(name: String, value: String)] = []) { self.pairs = pairs }
    public mutating func set(_ name: String, _ value: String) { pairs.append((name, value)) }
    public static func == (a: ClientProperties, b: ClientProperties) -> Bool {
        a.pairs.elementsEqual(b.pairs) { $0.name == $1.name && $0.value == $1.value }
    }

    /// The hub's promises (commit after storing, no duplicates from producers, partitions taken over one by one)
    /// depend on these, so setting one is an error instead of being ignored silently.
    static let fixed: Set<String> = [
        "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store",
        "partition.assignment.strategy", "enable.idempotence", "acks",
        "request.required.acks", "enable.partition.eof", "log.queue", "transactional.id", "group.id",
        "bootstrap.servers", "metadata.broker.list", "auto.offset.reset",
    ]

    /// Properties with one permitted value. Without `read_committed` the records of aborted transactions would be delivered.
    static let required = ["isolation.level": "read_committed"]

    /// Checks names and values without opening a connection.
    /// - Throws: `.property(name)` for an unknown name, a value it cannot have, or one the hub keeps for itself.
    public func validate() throws(KafkaError) {
        let trial = try ConfigurationHandle(defaults: [], own: self, fixed: [])
        trial.discard()
    }
}

/// Owns an `rd_kafka_conf_t` until a client takes it over.
@safe struct ConfigurationHandle: ~Copyable {
    let pointer: OpaquePointer

    /// `defaults` may be replaced by `own`, `fixed` may not.
    init(defaults: [(String, String)], own: ClientProperties, fixed: [(String, String)])
        throws(KafkaError)
    {
        unsafe pointer = rd_kafka_conf_new()
        do throws(KafkaError) {
            for (name, value) in defaults { try set(name, value) }
            for (name, value) in own.pairs {
                guard !ClientProperties.fixed.contains(name) else {
                    throw KafkaError(
                        kind: .property(name), name: "_INVALID_ARG",
                        message: "\(name) is set by the hub and cannot be configured")
                }
                if let required = ClientProperties.required[name], value != required {
                    throw KafkaError(
                        kind: .property(name), name: "_INVALID_ARG", message: "\(name) must be \(required), because the hub depends on it")
                }
                try set(name, value)
            }
            for (name, value) in fixed { try set(name, value) }
        } catch {
            unsafe rd_kafka_conf_destroy(pointer)
            throw error
        }
    }

    func set(_ name: String, _ value: String) throws(KafkaError) {
        var message = ErrorText()
        let result = unsafe message.filled { buffer, size in
            unsafe rd_kafka_conf_set(pointer, name, value, buffer, size)
        }
        guard result == RD_KAFKA_CONF_OK else {
            throw KafkaError(kind: .property(name), name: "_INVALID_ARG", message: message.text)
        }
    }

    consuming func discard() { unsafe rd_kafka_conf_destroy(pointer) }

    /// Makes the client, which takes over the configuration.
    consuming func client(_ type: rd_kafka_type_t) throws(KafkaError) -> OpaquePointer {
        var message = ErrorText()
        let client = unsafe message.filled { buffer, size in
            unsafe rd_kafka_new(type, pointer, buffer, size)
        }
        guard let client = unsafe client else {
            unsafe rd_kafka_conf_destroy(pointer)
            throw KafkaError(kind: .configuration, name: "_INVALID_ARG", message: message.text)
        }
        return unsafe client
    }
}

/// The buffer for librdkafka's error text.
struct ErrorText {
    private(set) var text = ""
    mutating func filled<Result>(_ call: (UnsafeMutablePointer<CChar>?, Int) -> Result) -> Result {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            unsafe buffer.initialize(repeating: 0)
            let result = unsafe call(buffer.baseAddress, buffer.count)
            unsafe text = String(cString: buffer.baseAddress!)
            return result
        }
    }
}

extension ConfigurationHandle {
    /// Chooses the event kinds that come through the queue instead of callbacks.
    borrowing func enable(_ events: Int32) { unsafe rd_kafka_conf_set_events(pointer, events) }
    /// Keeps librdkafka from writing to standard error.
    borrowing func silence() { unsafe rd_kafka_conf_set_log_cb(pointer, nil) }
}

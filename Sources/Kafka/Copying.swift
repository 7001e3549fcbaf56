internal import CRdkafka

// Copies from librdkafka's memory into Swift values.

extension Array where Element == UInt8 {
    init(copying pointer: UnsafeRawPointer, count: Int) {
        self = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            if count > 0 {
                unsafe UnsafeMutableRawBufferPointer(buffer).copyMemory(
                    from: UnsafeRawBufferPointer(start: pointer, count: count))
            }
            initialized = count
        }
    }
}

extension KafkaRecord {
    init(copying message: UnsafePointer<rd_kafka_message_t>) {
        let fields = unsafe message.pointee
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = unsafe rd_kafka_message_timestamp(message, &kind)
        unsafe self.init(
            topic: String(cString: rd_kafka_topic_name(fields.rkt)), partition: fields.partition,
            offset: fields.offset,
            timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? nil : timestamp,
            key: fields.key.map { unsafe [UInt8](copying: $0, count: fields.key_len) },
            value: fields.payload.map { unsafe [UInt8](copying: $0, count: fields.len) },
            headers: Self.headers(of: message))
    }

    private static func headers(of message: UnsafePointer<rd_kafka_message_t>) -> [RecordHeader] {
        var list: OpaquePointer?
        guard unsafe rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return []
        }
        var headers: [RecordHeader] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while unsafe rd_kafka_header_get_all(list, headers.count, &name, &value, &size)
            == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            headers.append(
                unsafe RecordHeader(
                    name.map { unsafe String(cString: $0) } ?? "",
                    value.map { unsafe [UInt8](copying: $0, count: size) }))
        }
        return headers
    }
}

/// A line of librdkafka's log. It names brokers and topics, never the content of records.
struct LogLine {
    let level: Int
    let facility: String
    let message: String

    init?(_ event: OpaquePointer) {
        var facility: UnsafePointer<CChar>?
        var message: UnsafePointer<CChar>?
        var level: Int32 = 0
        guard unsafe rd_kafka_event_log(event, &facility, &message, &level) == 0 else { return nil }
        self.level = Int(level)
        unsafe self.facility = facility.map { unsafe String(cString: $0) } ?? ""
        unsafe self.message = message.map { unsafe String(cString: $0) } ?? ""
    }
}

import ChangeCapture
import JSON

/// Records of a change data capture. The first line is the topic, the second the key (empty: none), the lines up to the first empty line
/// are headers (`name:value`), the rest is the value; without one it is a tombstone.
enum ChangeCaptureFuzz {
    static func run(_ input: [UInt8]) {
        let record = record(input)
        var decoder = ChangeDecoder(options)
        let change = decoder.decode(record)
        // The second time the schemas are known.
        precondition(decoder.decode(record) == change, "a record means two things")
        switch change {
        case .row(let change): check(change)
        case .rejected(let rejection): precondition(rejection.detail.utf8.count < 1_000 && !rejection.detail.isEmpty)
        case .outbox(let event):
            precondition(!event.id.isEmpty && !event.aggregateType.isEmpty)
            if let payload = event.payload { precondition((try? JSONValue.parse(payload)) != nil, "the payload is not JSON") }
        case .transaction(let marker): precondition(!marker.id.contains(":"))
        case .platform(let record):
            for row in [record.before, record.after] { if let row { precondition((try? JSONValue.parse(row)) != nil) } }
        case .truncate, .message, .heartbeat, .tombstone, .ignored, .notice: return
        }
    }

    private static func check(_ change: RowChange) {
        precondition((change.after == nil) == (change.operation == .delete))
        precondition((change.id == nil) == (change.source.lsn == nil))
        for row in [change.before, change.after] {
            for column in row?.columns ?? [] { check(column.value) }
        }
        if let key = change.key { precondition((try? JSONValue.parse(key.text)) != nil, "the key's text is not JSON") }
    }

    private static func check(_ value: ColumnValue) {
        switch value {
        case .double(let double): precondition(double.isFinite)
        case .decimal(let text):
            let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
            precondition(!digits.isEmpty && digits.count <= 2 * ChangeLimits.decimalDigits)
            precondition(digits.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        case .json(let text):
            var scanner = JSONScanner(text.utf8.span)
            precondition((try? scanner.value(in: text.utf8.span)) != nil, "a JSON column is not JSON")
        case .array(let elements): for element in elements { check(element) }
        case .absent: preconditionFailure("a column that is there is absent")
        case .null, .bool, .int, .notANumber, .string, .bytes, .timestamp, .date, .time, .duration, .infinity, .negativeInfinity,
            .unavailable:
            return
        }
    }

    private static var options: ChangeOptions {
        var options = ChangeOptions()
        options.columnTypes[TableName(table: "t")] = [
            "a": .numeric(scale: 2), "b": .timestamptz, "c": .interval, "d": .bytea, "e": .json, "f": .array(.date),
            "g": .time(precision: 3),
        ]
        return options
    }

    private static func record(_ input: [UInt8]) -> ChangeRecord {
        var rest = input[...]
        func line() -> [UInt8]? {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            defer { rest = rest[(end + 1)...] }
            return Array(rest[..<end])
        }
        var record = ChangeRecord(topic: String(decoding: line() ?? [], as: UTF8.self), value: nil)
        if let key = line(), !key.isEmpty { record.key = key }
        while let header = line() {
            if header.isEmpty {
                record.value = Array(rest)
                break
            }
            let colon = header.firstIndex(of: UInt8(ascii: ":")) ?? header.endIndex
            record.headers.append(
                ChangeRecord.Header(String(decoding: header[..<colon], as: UTF8.self), Array(header[colon...].dropFirst())))
        }
        return record
    }
}

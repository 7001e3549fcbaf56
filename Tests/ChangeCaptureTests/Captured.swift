import ChangeCapture
import Foundation
import JSON
import Testing

/// The records of a real Debezium 3.6.3 under `Fixtures/debezium`: one JSON object a line with the topic, key, value and headers.
enum Captured: String, CaseIterable {
    case schemasOn = "captured-schemas-on"
    case schemasOff = "captured-schemas-off"
    case outbox = "captured-outbox"
    case outboxExpanded = "captured-outbox-expanded"

    func records(besides file: String = #filePath) throws -> [ChangeRecord] {
        let root = URL(filePath: file).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try Data(contentsOf: root.appending(path: "Fixtures/debezium/\(rawValue).jsonl"))
        return try text.split(separator: UInt8(ascii: "\n")).map { line in
            let line = try JSONValue.parse([UInt8](line))
            return ChangeRecord(
                topic: try #require(line["topic"]?.string), timestamp: line["ts"]?.int64, key: line["key"]?.string.map { Array($0.utf8) },
                value: line["value"]?.string.map { Array($0.utf8) },
                headers: try #require(line["headers"]?.array).map { header in
                    let pair = try #require(header.array)
                    return ChangeRecord.Header(try #require(pair[0].string), pair[1].string.map { Array($0.utf8) })
                })
        }
    }

    /// The options that describe the tables of the captured records.
    static var options: ChangeOptions {
        var options = ChangeOptions()
        options.fullTables = [TableName(table: "portfolio"), TableName(table: "peer_review"), TableName(table: "audit_note")]
        let tables = [
            "portfolio": [
                "id": "uuid", "owner_id": "bigint", "title": "text", "visibility": "varchar(20)", "tags": "text[]", "settings": "jsonb",
                "score": "numeric(6,2)", "created_at": "timestamptz", "updated_at": "timestamptz",
            ],
            "activity": [
                "id": "bigint", "portfolio_id": "uuid", "kind": "text", "body": "text", "extra": "jsonb", "weight": "numeric",
                "grade": "numeric(5,2)", "big_amount": "numeric(38,9)", "ratio_f8": "double precision", "ratio_f4": "real",
                "small_n": "smallint", "flag": "boolean", "day": "date", "hour": "time", "hour_tz": "timetz", "local_ts": "timestamp",
                "ms_ts": "timestamp(3)", "occurred_at": "timestamptz", "duration": "interval", "raw": "bytea", "ip": "inet",
                "numbers": "int[]", "code": "char(4)", "price": "money", "span": "tstzrange", "place": "point", "doc": "xml",
            ],
            "peer_review": [
                "score": "numeric(4,1)", "mark": "numeric(4,1)", "due_at": "timestamptz", "submitted_at": "timestamptz",
            ],
            "user_privilege": ["granted_at": "timestamptz"], "audit_note": ["at": "timestamptz"], "heartbeat": ["at": "timestamptz"],
            "outbox": ["payload": "jsonb"],
        ]
        for (table, columns) in tables {
            options.columnTypes[TableName(table: table)] = columns.mapValues { DeclaredType(sql: $0)! }
        }
        return options
    }
}

extension Change {
    /// A word for the kind of a change, for counting.
    var kind: String {
        switch self {
        case .row(let change): change.operation.rawValue
        case .truncate: "truncate"
        case .message: "message"
        case .transaction(let marker): marker.status.rawValue
        case .heartbeat: "heartbeat"
        case .tombstone: "tombstone"
        case .ignored(let kind): kind.rawValue
        case .outbox: "outbox"
        case .platform: "platform"
        case .notice: "notice"
        case .rejected(let rejection): "rejected: \(rejection.reason.rawValue): \(rejection.detail)"
        }
    }

    var row: RowChange? { if case .row(let change) = self { change } else { nil } }
    var rejection: ChangeRejection? { if case .rejected(let rejection) = self { rejection } else { nil } }
}

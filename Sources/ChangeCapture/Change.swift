/// The meaning of a record.
public enum Change: Equatable, Sendable {
    /// Debezium, "Data change events": a row was inserted, changed or deleted, or a snapshot read it.
    case row(RowChange)
    /// `TRUNCATE` of one table; a statement that truncates several tables gives several records.
    case truncate(Truncate)
    /// `pg_logical_emit_message`.
    case message(LogicalMessage)
    /// Debezium, "Transaction metadata": the first or last record of a transaction.
    case transaction(TransactionMarker)
    case heartbeat(Heartbeat)
    /// The record without a value after a delete. Kafka's log compaction needs it, and it changes nothing.
    case tombstone(Tombstone)
    /// A record about the connector itself.
    case ignored(IgnoredRecord)
    /// Debezium, "Outbox event router".
    case outbox(OutboxEvent)
    /// A record of the platform's realtime system.
    case platform(PlatformRecord)
    /// A record of the platform's first version.
    case notice(PlatformNotice)
    case rejected(ChangeRejection)
}

/// A change of one row. Its stored properties are the parts of Debezium's envelope.
public struct RowChange: Equatable, Sendable {
    public enum Operation: String, CaseIterable, Sendable {
        case insert, update, delete
        /// A row that was in the table when the connector made its snapshot. It must not notify anybody.
        case snapshotRead
        /// The same for an incremental snapshot, which may run at any time between other changes.
        case incrementalSnapshotRead
    }

    public let operation: Operation
    public let table: TableName
    /// Nil for a table without a primary key. Then the records of the table have no order.
    public let key: RowKey?
    /// The row before the change; nil for inserts and snapshot reads. Under `REPLICA IDENTITY DEFAULT` an update has none, and a delete has
    /// the key columns: Debezium fills the others with defaults of their types, and the decoder makes them `unavailable`, unless
    /// `ChangeOptions.fullTables` contains the table. A table without a key has a `before` only with `FULL`, so all its values are real.
    public let before: Row?
    /// The row after the change; nil for deletes.
    public let after: Row?
    public let source: ChangeSource
    /// Nil for snapshot reads, and without `provide.transaction.metadata`.
    public let transaction: TransactionPosition?
    /// An update of the key is two records: a delete with the old key and an insert with the new one. Both have this value.
    public let keyChange: KeyChange?
    /// The row as JSON for the identity of a change without a key; empty otherwise.
    let content: String

    /// An update has a `before` only under `REPLICA IDENTITY FULL` or `USING INDEX`: the caller may check its declaration.
    public var showsOldRow: Bool { operation == .update && before != nil }
}

public struct KeyChange: Equatable, Sendable {
    public let from: RowKey
    public let to: RowKey
}

/// The origin of a change: the member `source` of the envelope.
public struct ChangeSource: Equatable, Sendable {
    /// `topic.prefix`.
    public var name = ""
    public var connector = ""
    public var database = ""
    /// The position in the write-ahead log. It does not increase from record to record, and twins of a key change share it.
    public var lsn: UInt64?
    /// A JSON array as text: the LSN of the last commit before this change (null at the start), and the LSN.
    public var sequence: String?
    public var transactionID: Int64?
    /// Microseconds since 1970: the commit in the database, for a snapshot read its start.
    public var committedAt: Int64?
    /// Microseconds since 1970 by the connector's clock. The difference is the lag of the capture.
    public var capturedAt: Int64?
    /// The text of `snapshot`: `first`, `true`, `last` and so on; `false` for streaming.
    public var snapshot = "false"
}

/// The position of a change in its transaction.
public struct TransactionPosition: Equatable, Sendable {
    /// The part of the id before the colon. The rest differs between the records of one transaction.
    public let id: String
    /// From 1, over all tables.
    public let totalOrder: Int64?
    /// From 1, in this table.
    public let tableOrder: Int64?
}

public struct Truncate: Equatable, Sendable {
    public let table: TableName
    public let source: ChangeSource
    public let transaction: TransactionPosition?
}

public struct LogicalMessage: Equatable, Sendable {
    public let prefix: String
    public let content: [UInt8]
    public let source: ChangeSource
    /// Nil for a message outside a transaction.
    public let transaction: TransactionPosition?
}

public struct TransactionMarker: Equatable, Sendable {
    public enum Status: String, Sendable {
        case begin = "BEGIN"
        case end = "END"
    }

    public struct Count: Equatable, Sendable {
        /// `schema.table`.
        public let collection: String
        public let events: Int64
    }

    public let status: Status
    /// The part of the id before the colon; it joins the marker with `TransactionPosition.id`.
    public let id: String
    /// The number of changes; nil for the first record.
    public let events: Int64?
    /// The number of changes of each table; empty for the first record.
    public let counts: [Count]
    /// Microseconds since 1970.
    public let at: Int64?
}

public struct Heartbeat: Equatable, Sendable {
    /// `topic.prefix`; nil when the key does not tell.
    public let server: String?
    /// Microseconds since 1970.
    public let at: Int64
}

public struct Tombstone: Equatable, Sendable {
    /// Nil when the record has no key, or one that is not JSON.
    public let key: RowKey?
}

public enum IgnoredRecord: String, CaseIterable, Sendable {
    /// A change of a table's definition, on the topic of schema changes or of the schema history.
    case schemaChange = "schema-change"
    /// A row of the signal table, or a record of the signal topic.
    case signal
    /// A notification of the connector about its snapshots.
    case notification
}

/// An event that an application wrote to its outbox table.
public struct OutboxEvent: Equatable, Sendable {
    /// The header `id`: the identity of the event for de-duplication.
    public let id: String
    /// The topic after the prefix.
    public let aggregateType: String
    /// The key.
    public let aggregateID: String?
    /// The type column, if the router is configured to send it as a header.
    public let type: String?
    /// JSON text; nil for SQL NULL.
    public let payload: String?
    /// Other headers with texts, without those of Debezium itself.
    public let headers: [Header]

    public struct Header: Equatable, Sendable {
        public let name: String
        public let text: String
    }
}

import ChangeCapture

/// What `hub doctor` reads of the platform's database. Its stored properties are the parts that a capture depends on.
struct SourceFacts: Equatable, Sendable {
    struct Slot: Equatable, Sendable {
        /// `pgoutput` and so on; nil for a physical slot.
        var plugin: String? = "pgoutput"
        var database: String?
        var isActive = true
        /// Bytes of log that the connector has not confirmed.
        var lagBytes: Int64?
        /// `reserved`, `extended`, `unreserved` or `lost`.
        var walStatus: String? = "reserved"
        /// From PostgreSQL 17 on.
        var isFailover: Bool?
        var invalidation: String?
    }

    struct Publication: Equatable, Sendable {
        var operations: Set<RowChange.Operation> = [.insert, .update, .delete]
        var publishesTruncate = true
        var tables: [TableName: PublishedTable] = [:]
    }

    struct PublishedTable: Equatable, Sendable {
        /// nil: all of them.
        var columns: Set<String>?
        var rowFilter: String?
    }

    struct Table: Equatable, Sendable {
        enum Identity: String, Sendable {
            case standard = "d"
            case nothing = "n"
            case full = "f"
            case index = "i"
        }

        var identity = Identity.full
        var columns: Set<String>
        /// The columns of the primary key.
        var key: Set<String> = ["id"]
        /// The columns of the index of `REPLICA IDENTITY USING INDEX`.
        var index: Set<String> = []
        var isPartitioned = false

        /// The columns that an update or delete has of the old row.
        var logged: Set<String> {
            switch identity {
            case .full: columns
            case .standard: key
            case .index: index
            case .nothing: []
            }
        }
    }

    /// As in 150014.
    var version = 150_000
    var database = ""
    var walLevel = "logical"
    /// `max_slot_wal_keep_size`; -1: unlimited.
    var keptMegabytes: Int64 = -1
    var slot: Slot?
    /// The names of the logical slots of this database.
    var slots: [String] = []
    var publication: Publication?
    var publications: [String] = []
    var tables: [TableName: Table] = [:]
}

/// One result of `hub doctor`.
package struct SourceFinding: Equatable, Sendable {
    package enum Grade: String, CaseIterable, Sendable {
        /// Changes are lost, do not come, or a rule cannot work.
        case wrong
        /// It works, and a later fault will cost more than it must.
        case warning
        case good
    }

    package let grade: Grade
    /// `database`, `slot`, `publication`, `kafka`, `rules`, or the name of a table.
    package let part: String
    package let text: String
    /// How it can be mended; nil for what is right.
    package let mend: String?

    static func wrong(_ part: String, _ text: String, mend: String) -> SourceFinding {
        SourceFinding(grade: .wrong, part: part, text: text, mend: mend)
    }
    static func warning(_ part: String, _ text: String, mend: String) -> SourceFinding {
        SourceFinding(grade: .warning, part: part, text: text, mend: mend)
    }
    static func good(_ part: String, _ text: String) -> SourceFinding {
        SourceFinding(grade: .good, part: part, text: text, mend: nil)
    }
}

/// A Kafka record for the decoder, independent of the client library.
public struct EventRecord: Equatable, Sendable {
    public struct Header: Equatable, Sendable {
        public var name: String
        public var value: [UInt8]?

        public init(_ name: String, _ value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Milliseconds since 1970; nil when the record carries none.
    public var timestamp: Int64?
    public var key: [UInt8]?
    /// Nil for a tombstone.
    public var value: [UInt8]?
    public var headers: [Header]

    public init(
        topic: String, partition: Int32, offset: Int64, timestamp: Int64? = nil, key: [UInt8]? = nil, value: [UInt8]?,
        headers: [Header] = []
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.timestamp = timestamp
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// The decoder's result for a record.
public enum Decoded: Equatable, Sendable {
    /// The record's drafts: at least one, and one per channel and event. The store writes them in one transaction.
    case entries([EntryDraft])
    /// The drafts of the valid targets. The record also goes to the dead-letter topic because of the other targets.
    case partly([EntryDraft], EventRejection)
    /// The record takes entries back, and may also make some. With a rejection it also goes to the dead-letter topic because of the other
    /// targets or events.
    case retracting([EntryDraft], [Retraction], EventRejection?)
    /// The record contains nothing to store and no error. The intake only counts it.
    case discard(DiscardReason)
    /// The record is invalid and goes to the dead-letter topic.
    case rejected(EventRejection)
}

public enum DiscardReason: String, CaseIterable, Sendable {
    /// A record without a value.
    case tombstone
}

/// The error in a record that gives no entries.
public struct EventRejection: Error, Equatable, Sendable {
    /// A short, stable name for metrics and for the header of the dead letter.
    public var reason: EventRejectionReason
    /// A text for the reader of the dead letter: it names the member and the accepted values, and quotes no titles, bodies or data.
    public var detail: String
    /// The rejected targets of an event that has valid targets too.
    public var targets: [String]

    public init(_ reason: EventRejectionReason, _ detail: String, targets: [String] = []) {
        self.reason = reason
        self.detail = detail
        self.targets = targets
    }
}

public enum EventRejectionReason: String, CaseIterable, Sendable {
    case tooLarge = "too_large"
    case notJSON = "not_json"
    case nulCharacter = "nul_character"
    case notAnObject = "not_an_object"
    case unsupportedShape = "unsupported_shape"
    case unsupportedContentType = "unsupported_content_type"
    case badCloudEvent = "bad_cloudevent"
    case base64Data = "base64_data"
    case missingData = "missing_data"
    case emptyBatch = "empty_batch"
    case badID = "bad_id"
    case missingType = "missing_type"
    case badType = "bad_type"
    case noTargets = "no_targets"
    case tooManyTargets = "too_many_targets"
    case badTarget = "bad_target"
    case badTitle = "bad_title"
    case badBody = "bad_body"
    case badPriority = "bad_priority"
    case badContext = "bad_context"
    case badLink = "bad_link"
    case badGroup = "bad_group"
    case badCollapse = "bad_collapse"
    case badExpiresAt = "bad_expires_at"
    case badReceipt = "bad_receipt"
    case badForm = "bad_form"
    case badRetract = "bad_retract"
    case tooManyRetractions = "too_many_retractions"

    /// One English sentence, for the documentation.
    public var meaning: String {
        switch self {
        case .tooLarge: "The record, or what clients would get of it, is larger than the limit."
        case .notJSON: "The value is not strict JSON (RFC 8259)."
        case .nulCharacter: "A string holds U+0000, which PostgreSQL cannot store."
        case .notAnObject: "The value is JSON, but not an object."
        case .unsupportedShape: "The record is a change event of a kind this hub does not read."
        case .unsupportedContentType: "The content type is not JSON."
        case .badCloudEvent: "A required CloudEvents attribute is missing or has an impossible value."
        case .base64Data: "The CloudEvent carries data_base64; the hub reads JSON in data."
        case .missingData: "The CloudEvent has no data, or data that is not an object."
        case .emptyBatch: "The batch holds no event, or more than the limit."
        case .badID: "The id is not a string of 1 to 255 bytes without control characters."
        case .missingType: "There is no type."
        case .badType: "The type is not a string of 1 to 255 bytes without control characters."
        case .noTargets: "There is no target in to."
        case .tooManyTargets: "There are more targets in to than the limit."
        case .badTarget: "A target is not user:<id>, broadcast:<name> or conversation:<uuid>."
        case .badTitle: "The title is neither a string nor an object of strings by language."
        case .badBody: "The body is neither a string nor an object of strings by language."
        case .badPriority: "The priority is not low, normal, high or critical."
        case .badContext: "The context is neither a string nor an object."
        case .badLink: "The link is neither a path nor an http or https address."
        case .badGroup: "The group is not a string of 1 to 255 bytes without control characters."
        case .badCollapse: "The collapse key is not a string of 1 to 255 bytes without control characters."
        case .badExpiresAt: "The expiry is neither an RFC 3339 time nor milliseconds since 1970."
        case .badReceipt: "The receipt is not \"required\", true or false."
        case .badForm: "The form is not full or hint."
        case .badRetract:
            "What is to be retracted is not an object with either an id (and perhaps a source) or a group, or the event also has content."
        case .tooManyRetractions:
            "The batch retracts in more channels than the limit, or makes more entries than a batch that retracts may."
        }
    }

    /// The table for the documentation.
    public static var markdownTable: String {
        "| reason | meaning |\n|---|---|\n" + allCases.map { "| `\($0.rawValue)` | \($0.meaning) |\n" }.joined()
    }
}

/// The limits of one record.
public struct EventLimits: Equatable, Sendable {
    /// Bytes of a record's value: room for a batch of events, and a quarter of Kafka's default limit. Larger: `too_large` without parsing.
    public var recordBytes = 262_144
    /// Target channels of one event; each makes a row, all in one transaction. More: `too_many_targets`; use a broadcast channel.
    public var targets = 1_000
    /// Bytes of an entry's title, body, context, link and data. Larger: `too_large`; send a reference that clients fetch.
    public var contentBytes = 32_768
    /// Events in one CloudEvents batch. More: `empty_batch`.
    public var batch = 100
    /// Channels in which the events of one record retract, and entries that a record which retracts makes: all are stored in one transaction.
    /// More: `too_many_retractions`; use several records.
    public var retractions = 1_000
    /// Bytes of a link.
    public static let linkBytes = 2_048
    /// Bytes of an id, type, group or collapse key. Index rows contain them, and PostgreSQL limits an index row to about 2 700 bytes.
    public static let nameBytes = 255
    /// Bytes of a CloudEvent's source.
    public static let sourceBytes = 512
    /// Languages of a title or body.
    public static let languages = 32

    public init() {}
}

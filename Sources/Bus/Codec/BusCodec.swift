import Messaging

/// The form of bus events between processes. Pure.
///
/// A message is: major version (1 byte), minor version (1 byte), then events to its end. An event is: kind (1 byte), length of its body
/// (number), body. Inside a body:
///
/// | part | form |
/// |---|---|
/// | number | unsigned LEB128, at most 10 bytes, never longer than needed |
/// | time | milliseconds since 1970, zigzag, as a number |
/// | text | length in bytes (number), UTF-8 |
/// | list | count (number), elements |
/// | channel | its stored name, as a text |
///
/// Another major version is refused. Within one, each node reads the messages of every minor version: a newer minor version may add kinds
/// of events, and members at the end of a body. An older node passes over what it does not know and counts it.
package enum BusCodec {
    package static let major: UInt8 = 1
    package static let minor: UInt8 = 0

    /// The longest message that is written or read.
    package static let longestMessage = 4 * 1_024 * 1_024
    /// A message is closed when it has this many bytes, so that one lost message is not one lost minute.
    package static let usualMessage = 256 * 1_024

    enum Kind: UInt8 {
        case entries = 1
        case moved = 2
        case opened = 3
        case typing = 4
        case withdrawn = 5
    }

    /// Which optional members of an entry follow, and its flag. The order of the bits is the order of the members.
    enum EntryMember {
        static let sender: UInt64 = 1 << 0
        static let group: UInt64 = 1 << 1
        static let collapse: UInt64 = 1 << 2
        static let expiry: UInt64 = 1 << 3
        static let receiptRequired: UInt64 = 1 << 4
        static let trace: UInt64 = 1 << 5
        static let replyTo: UInt64 = 1 << 6
        static let all: UInt64 = 1 << 7 - 1
    }

    package struct Encoded: Equatable, Sendable {
        /// In the order of the events.
        package var messages: [[UInt8]] = []
        /// Events and entries that are longer than the longest message. To the listeners they are lost.
        package var leftOut = 0
    }

    package struct Decoded: Equatable, Sendable {
        package var events: [BusEvent] = []
        /// Events of a kind that only newer nodes know. Nothing of them was meant for this version.
        package var unknownKinds = 0
        /// Events of a known kind with something in them that only newer nodes know. To this node they are lost: whoever reads the
        /// message tells the listeners so.
        package var unreadable = 0
    }

    package enum Failure: Error, Equatable, Sendable {
        /// Longer than `longestMessage`.
        case tooLong
        /// Of another major version, or without one.
        case unknownVersion
        /// The bytes end within an event.
        case truncated
        /// The bytes are none that this version, or a newer minor version, writes.
        case malformed
    }
}

extension EntryDraft.Kind {
    /// The position in this list is the number on the bus: append only.
    static let onTheBus: [EntryDraft.Kind] = [.notification, .message, .system]
    var busNumber: UInt64 {
        switch self {
        case .notification: 0
        case .message: 1
        case .system: 2
        }
    }
}

extension EntryDraft.Priority {
    static let onTheBus: [EntryDraft.Priority] = [.low, .normal, .high, .critical]
    var busNumber: UInt64 {
        switch self {
        case .low: 0
        case .normal: 1
        case .high: 2
        case .critical: 3
        }
    }
}

extension EntryDraft.Form {
    static let onTheBus: [EntryDraft.Form] = [.full, .hint]
    var busNumber: UInt64 {
        switch self {
        case .full: 0
        case .hint: 1
        }
    }
}

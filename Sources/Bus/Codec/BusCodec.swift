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
/// of events, and members at the end of a body. An older node skips and counts the parts that it does not know.
package enum BusCodec {
    package static let major: UInt8 = 1
    package static let minor: UInt8 = 5

    /// Since this minor version the entries of an event may be followed by a list: the positions, ascending from 0, of those that have replaced
    /// others. An older node skips it. In the messages of an older node every entry with a collapse key may have.
    static let minorWithReplacing: UInt8 = 3

    /// Since this minor version a cursor that another hub moved has its version.
    static let minorWithVersion: UInt8 = 4

    /// The longest message that is written or read.
    package static let longestMessage = 4 * 1_024 * 1_024
    /// A message is closed when it has this many bytes, so that the loss of one message loses few events.
    package static let usualMessage = 256 * 1_024

    enum Kind: UInt8 {
        case entries = 1
        case moved = 2
        case opened = 3
        case typing = 4
        case withdrawn = 5
        /// Since minor version 1.
        case active = 6
        /// Since minor version 2, as the next one: typing that some members do not see. An older node skips it for all.
        case hiddenTyping = 7
        case hidingChanged = 8
        /// Since minor version 3, as the next one.
        case storedElsewhere = 9
        case movedElsewhere = 10
        /// Since minor version 4.
        case presence = 11
        /// Since minor version 5.
        case fenced = 12
    }

    /// Bits of a number before an entry's optional members. Each says that its member follows; `receiptRequired` is itself the value. The
    /// members follow in the order of the bits.
    enum EntryMember {
        static let sender: UInt64 = 1 << 0
        static let group: UInt64 = 1 << 1
        static let collapse: UInt64 = 1 << 2
        static let expiry: UInt64 = 1 << 3
        static let receiptRequired: UInt64 = 1 << 4
        static let trace: UInt64 = 1 << 5
        static let replyTo: UInt64 = 1 << 6
        /// Since minor version 2. An older node cannot read the entry, and reads it from the store.
        static let hiddenFrom: UInt64 = 1 << 7
        static let all: UInt64 = 1 << 8 - 1
    }

    package struct Encoded: Equatable, Sendable {
        /// The messages, in the order of the events.
        package var messages: [[UInt8]] = []
        /// The number of events and entries that do not fit into the longest message. Listeners do not get them.
        package var leftOut = 0
    }

    package struct Decoded: Equatable, Sendable {
        package var events: [BusEvent] = []
        /// The number of events whose kind only newer versions know. This version needs none of them.
        package var unknownKinds = 0
        /// The number of events of a known kind with a value that only newer versions know. This node loses them, so the caller must tell
        /// the listeners that events are missing.
        package var unreadable = 0
    }

    package enum Failure: Error, Equatable, Sendable {
        /// Longer than `longestMessage`.
        case tooLong
        /// Of another major version, or without one.
        case unknownVersion
        /// The bytes end within an event.
        case truncated
        /// Neither this version nor a newer minor version writes these bytes.
        case malformed
    }
}

extension EntryDraft.Kind {
    /// The position in this list is the number on the bus: append only.
    static let onTheBus: [EntryDraft.Kind] = [.notification, .message, .system, .change, .retraction]
    var busNumber: UInt64 {
        switch self {
        case .notification: 0
        case .message: 1
        case .system: 2
        case .change: 3
        case .retraction: 4
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

extension Fence.Reason {
    static let onTheBus: [Fence.Reason] = [.revoked, .privileges]
    var busNumber: UInt64 {
        switch self {
        case .revoked: 0
        case .privileges: 1
        }
    }
}

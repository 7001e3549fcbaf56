import Bytes
internal import JSON

/// An ordered, durable sequence of entries.
///
/// | case | stored name | name on the wire |
/// |---|---|---|
/// | `inbox(alice)` | `inbox:alice` | `inbox` (always the caller's own) |
/// | `broadcast(system)` | `broadcast:system` | the same |
/// | `broadcast(institution:x)` | `broadcast:institution:x` | the same |
/// | `conversation(id)` | `conversation:<uuid>` | the same |
public enum Channel: Hashable, Sendable {
    case inbox(UserID)
    case broadcast(String)
    case conversation(ConversationID)

    public enum Kind: String, CaseIterable, Sendable {
        case inbox, broadcast, conversation
    }

    // Compares bytes, as the store does.
    public static func == (a: Channel, b: Channel) -> Bool {
        switch (a, b) {
        case (.inbox(let a), .inbox(let b)): a == b
        case (.broadcast(let a), .broadcast(let b)): a.isSameText(as: b)
        case (.conversation(let a), .conversation(let b)): a == b
        case (.inbox, _), (.broadcast, _), (.conversation, _): false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .inbox(let user): hasher.combine(user)
        case .broadcast(let name): hasher.combine(name)
        case .conversation(let id): hasher.combine(id)
        }
    }

    public var kind: Kind {
        switch self {
        case .inbox: .inbox
        case .broadcast: .broadcast
        case .conversation: .conversation
        }
    }

    /// The channel's name in the store, unique over all kinds.
    public var storedName: String { storedParts.prefix + storedParts.name }

    /// The stored name in two parts. A caller that appends it to a buffer needs no `String` of its own.
    public var storedParts: (prefix: String, name: String) {
        switch self {
        case .inbox(let user): ("inbox:", user.name)
        case .broadcast(let name): ("broadcast:", name)
        case .conversation(let id): ("conversation:", id.text)
        }
    }

    /// The channel's name in the protocol.
    public var wireName: String {
        switch self {
        case .inbox: "inbox"
        case .broadcast, .conversation: storedName
        }
    }

    /// Whether `name` is the channel's name on the wire for the inbox's owner. Allocates nothing.
    func isNamed(onTheWire name: Span<UInt8>) -> Bool {
        switch self {
        case .inbox: name.isSame(as: "inbox".utf8.span)
        case .broadcast(let rest): name.isJoined("broadcast:", rest)
        case .conversation(let id): name.isJoined("conversation:", id.text)
        }
    }

    /// Whether `name` is the channel's name in the store. Allocates nothing.
    public func isNamed(inStore name: Span<UInt8>) -> Bool {
        let parts = storedParts
        return name.isJoined(parts.prefix, parts.name)
    }

    public static let maximumNameBytes = 300

    /// Parses a stored name (`inbox:alice`, `broadcast:system`, `conversation:<uuid>`).
    public init?(storedName: String) {
        if let rest = storedName.suffix(after: "inbox:") {
            guard let user = UserID(String(rest)) else { return nil }
            self = .inbox(user)
        } else {
            self.init(sharedName: storedName)
        }
    }

    /// Parses a name as `user` writes it on the wire.
    public init?(wireName: String, for user: UserID) {
        if wireName == "inbox" {
            self = .inbox(user)
        } else {
            self.init(sharedName: wireName)
        }
    }

    private init?(sharedName: String) {
        if let rest = sharedName.suffix(after: "broadcast:") {
            guard Self.isBroadcastName(rest.utf8.span) else { return nil }
            self = .broadcast(String(rest))
        } else if let rest = sharedName.suffix(after: "conversation:") {
            guard let id = ConversationID(rest) else { return nil }
            self = .conversation(id)
        } else {
            return nil
        }
    }

    /// `system`, or `<kind>:<id>` with both parts non-empty.
    static func isBroadcastName(_ name: Span<UInt8>) -> Bool {
        guard Identifier.isAcceptable(name, maximumBytes: maximumNameBytes - "broadcast:".utf8.count) else { return false }
        if name.isSame(as: "system".utf8.span) { return true }
        // Compares bytes: a combining mark after the colon would form one character with it.
        for index in name.indices where name[index] == UInt8(ascii: ":") { return index > 0 && index + 1 < name.count }
        return false
    }
}

/// A UUID in its canonical lower-case text form; upper case is accepted and folded.
public struct ConversationID: Hashable, Sendable {
    public let text: String
    public init?(_ text: String) { self.init(text[...]) }

    public init?(_ text: Substring) {
        let bytes = text.utf8.span
        guard bytes.count == 36 else { return nil }
        var hasUpperCase = false
        for i in bytes.indices {
            let byte = bytes[i]
            if i == 8 || i == 13 || i == 18 || i == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): continue
            case UInt8(ascii: "A")...UInt8(ascii: "F"): hasUpperCase = true
            default: return nil
            }
        }
        self.text = hasUpperCase ? text.lowercased() : String(text)
    }
}

extension String {
    /// `prefix` must be ASCII, so that the rest begins at a scalar.
    fileprivate func suffix(after prefix: String) -> Substring? {
        begins(with: prefix) ? self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...] : nil
    }
}

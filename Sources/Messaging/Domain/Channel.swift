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

    // By bytes, as the store compares.
    public static func == (a: Channel, b: Channel) -> Bool {
        switch (a, b) {
        case (.inbox(let a), .inbox(let b)): a == b
        case (.broadcast(let a), .broadcast(let b)): a.utf8.elementsEqual(b.utf8)
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

    /// The name under which the store knows the channel; unique over all kinds.
    public var storedName: String {
        switch self {
        case .inbox(let user): "inbox:" + user.name
        case .broadcast(let name): "broadcast:" + name
        case .conversation(let id): "conversation:" + id.text
        }
    }

    /// The name a client reads and writes.
    public var wireName: String {
        switch self {
        case .inbox: "inbox"
        case .broadcast, .conversation: storedName
        }
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
            guard Self.isBroadcastName(rest) else { return nil }
            self = .broadcast(String(rest))
        } else if let rest = sharedName.suffix(after: "conversation:") {
            guard let id = ConversationID(rest) else { return nil }
            self = .conversation(id)
        } else {
            return nil
        }
    }

    /// `system`, or `<kind>:<id>` with both parts non-empty.
    private static func isBroadcastName(_ name: Substring) -> Bool {
        guard Identifier.isAcceptable(name, maximumBytes: maximumNameBytes - 16) else { return false }
        if name == "system" { return true }
        // By bytes: a combining mark behind the colon would make one character of both.
        let parts = name.utf8.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
    }
}

/// A UUID in its canonical lower-case text form; upper case is accepted and folded.
public struct ConversationID: Hashable, Sendable {
    public let text: String
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count == 36 else { return nil }
        for (i, byte) in text.utf8.enumerated() {
            switch (i, byte) {
            case (8, UInt8(ascii: "-")), (13, UInt8(ascii: "-")), (18, UInt8(ascii: "-")), (23, UInt8(ascii: "-")): continue
            case (8, _), (13, _), (18, _), (23, _): return nil
            case (_, UInt8(ascii: "0")...UInt8(ascii: "9")), (_, UInt8(ascii: "a")...UInt8(ascii: "f")),
                (_, UInt8(ascii: "A")...UInt8(ascii: "F")):
                continue
            default: return nil
            }
        }
        self.text = text.lowercased()
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> Substring? {
        begins(with: prefix) ? self[utf8.index(startIndex, offsetBy: prefix.utf8.count)...] : nil
    }
}

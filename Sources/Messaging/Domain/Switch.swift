import Bytes

/// A part of the hub that an operator may switch off. The raw value is its name for operators and clients.
public enum SwitchedFeature: String, CaseIterable, Sendable {
    /// Entries of broadcasts.
    case systemNotifications = "system-notifications"
    /// Entries of inboxes.
    case userNotifications = "user-notifications"
    /// Messages in conversations of two.
    case directMessages = "direct-messages"
    /// Messages in conversations of more than two.
    case groupMessages = "group-messages"
    /// Typing.
    case signals
    case presence
    /// All sessions.
    case realtime

    /// What an operator may choose besides on and off.
    public var canWait: Bool {
        switch self {
        case .systemNotifications, .userNotifications, .directMessages, .groupMessages: true
        case .signals, .presence, .realtime: false
        }
    }
}

public enum SwitchMode: Equatable, Sendable {
    /// An exception from a switch with a wider scope.
    case on
    /// Entries are pushed together, once in so many seconds.
    case slow(seconds: Int)
    /// Entries are stored and not pushed.
    case store
    case off

    public static let slowSeconds = 5...3_600

    public var name: String {
        switch self {
        case .on: "on"
        case .slow: "slow"
        case .store: "store"
        case .off: "off"
        }
    }

    /// - Parameter seconds: of `slow`.
    public init?(name: String, seconds: Int?) {
        switch name {
        case "on": self = .on
        case "slow":
            guard let seconds, Self.slowSeconds.contains(seconds) else { return nil }
            self = .slow(seconds: seconds)
        case "store": self = .store
        case "off": self = .off
        default: return nil
        }
    }

    public var seconds: Int? { if case .slow(let seconds) = self { seconds } else { nil } }

    func isStricter(than other: SwitchMode) -> Bool {
        if case .slow(let own) = self, case .slow(let others) = other { return own > others }
        return rank > other.rank
    }

    private var rank: Int {
        switch self {
        case .on: 0
        case .slow: 1
        case .store: 2
        case .off: 3
        }
    }
}

/// Whom or what a switch concerns.
public enum SwitchScope: Hashable, Sendable {
    case system
    case institution(String)
    case category(String)
    /// A broadcast beyond those of all, of an institution and of a category, such as `activity:7`; and what a conversation is about.
    case context(String)
    case user(UserID)

    /// `system`, `institution:ID`, `category:ID`, `user:ID`, or another `KIND:ID`; nil for all other texts.
    public init?(_ text: String) {
        if text == "system" {
            self = .system
        } else if let user = text.rest(after: "user:") {
            guard let user = UserID(user) else { return nil }
            self = .user(user)
        } else {
            guard Channel.isBroadcastName(text.utf8.span) else { return nil }
            if let id = text.rest(after: "institution:") {
                self = .institution(id)
            } else if let id = text.rest(after: "category:") {
                self = .category(id)
            } else {
                self = .context(text)
            }
        }
    }

    public var text: String {
        switch self {
        case .system: "system"
        case .institution(let id): "institution:" + id
        case .category(let id): "category:" + id
        case .context(let name): name
        case .user(let user): "user:" + user.name
        }
    }

    /// Of two switches that concern a user the one with the higher number counts.
    public var precedence: Int {
        switch self {
        case .system: 0
        case .institution: 1
        case .category: 2
        case .context: 3
        case .user: 4
        }
    }

    /// Whether a switch with this scope may concern the user; of a context that is not known.
    public func includes(_ identity: Identity) -> Bool {
        switch self {
        case .system: true
        case .institution(let id): identity.institution?.isSameText(as: id) == true
        case .category(let id): identity.roles.contains { $0.isSameText(as: id) }
        case .context(let name): identity.channels.contains { $0.isSameText(as: name) }
        case .user(let user): identity.user == user
        }
    }

    // Compares bytes, as the store does.
    public static func == (a: SwitchScope, b: SwitchScope) -> Bool {
        a.precedence == b.precedence && a.text.isSameText(as: b.text)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(precedence)
        hasher.combine(text)
    }
}

/// An operator's word about one feature for one scope.
public struct Switch: Equatable, Sendable {
    public var feature: SwitchedFeature
    public var scope: SwitchScope
    public var mode: SwitchMode
    /// From then on it is as if there was no switch; nil: until somebody takes it away.
    public var until: Timestamp?

    public init(_ feature: SwitchedFeature, for scope: SwitchScope, _ mode: SwitchMode, until: Timestamp? = nil) {
        self.feature = feature
        self.scope = scope
        self.mode = mode
        self.until = until
    }
}

extension String {
    fileprivate func rest(after prefix: String) -> String? {
        guard begins(with: prefix) else { return nil }
        return String(decoding: utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
    }
}

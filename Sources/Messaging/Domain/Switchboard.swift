/// The switches of the operators, and which of them counts for a user.
///
/// A more specific scope wins: a user's own switch, then the context's, the category's, the institution's, and the system's. Of two categories
/// of one user the stricter switch counts.
public struct Switchboard: Equatable, Sendable {
    /// More are neither stored nor read.
    public static let most = 1_000

    private struct Key: Hashable {
        let feature: SwitchedFeature
        let scope: SwitchScope
    }

    private var switches: [Key: Switch] = [:]
    /// How many switches each feature has: most have none.
    private var counts: [SwitchedFeature: Int] = [:]
    /// The features that have a switch for a context.
    private var contextual: Set<SwitchedFeature> = []
    /// Switches that this version does not understand. They have no effect.
    public private(set) var unknown: Int

    public init(_ switches: some Sequence<Switch> = EmptyCollection<Switch>(), unknown: Int = 0) {
        self.unknown = unknown
        for one in switches { self.switches[Key(feature: one.feature, scope: one.scope)] = one }
        for one in self.switches.values {
            counts[one.feature, default: 0] += 1
            if case .context = one.scope { contextual.insert(one.feature) }
        }
    }

    public var isEmpty: Bool { switches.isEmpty }
    public var count: Int { switches.count }
    /// False when nothing about the feature needs to be looked up.
    public func concerns(_ feature: SwitchedFeature) -> Bool { counts[feature, default: 0] > 0 }
    /// Whether a context decides about the feature.
    public func dependsOnContext(_ feature: SwitchedFeature) -> Bool { contextual.contains(feature) }
    /// The pauses of all slow switches, in seconds.
    public var pauses: Set<Int> { Set(switches.values.compactMap(\.mode.seconds)) }

    // MARK: Time

    /// When the next switch ends by itself.
    public var nextEnd: Timestamp? { switches.values.compactMap(\.until).min() }

    /// Removes the switches that have ended.
    public mutating func drop(upTo now: Timestamp) {
        self = Switchboard(switches.values.filter { one in one.until.map { $0 > now } ?? true }, unknown: unknown)
    }

    // MARK: What counts

    /// The switch that counts for the user; nil: the feature is on.
    /// - Parameter context: the broadcast, or what a conversation is about.
    public func effective(_ feature: SwitchedFeature, for identity: Identity, in context: String? = nil) -> Switch? {
        guard concerns(feature) else { return nil }
        guard let found = mostSpecific(feature, identity, context), found.mode != .on else { return nil }
        return found
    }

    private func mostSpecific(_ feature: SwitchedFeature, _ identity: Identity, _ context: String?) -> Switch? {
        if let found = self[feature, .user(identity.user)] { return found }
        if let context, let found = self[feature, .context(context)] { return found }
        var strictest: Switch?
        for role in identity.roles {
            guard let found = self[feature, .category(role)] else { continue }
            if strictest.map({ found.mode.isStricter(than: $0.mode) }) ?? true { strictest = found }
        }
        if let strictest { return strictest }
        if let institution = identity.institution, let found = self[feature, .institution(institution)] { return found }
        return self[feature, .system]
    }

    private subscript(_ feature: SwitchedFeature, _ scope: SwitchScope) -> Switch? { switches[Key(feature: feature, scope: scope)] }

    /// What a client is told: each feature that is not on for the user, and those of the contexts that the session follows.
    public func told(to identity: Identity, following channels: some Sequence<Channel>) -> [Switch] {
        guard !isEmpty else { return [] }
        var told = SwitchedFeature.allCases.compactMap { effective($0, for: identity) }
        guard !contextual.isEmpty else { return told }
        for case .broadcast(let name) in channels {
            for feature in contextual.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard let found = effective(feature, for: identity, in: name), case .context = found.scope else { continue }
                if !told.contains(found) { told.append(found) }
            }
        }
        return told
    }

    // MARK: Entries

    /// How the entries of a channel reach a user who follows it.
    /// - Parameter isGroup: of a conversation: it has more than two members.
    public func delivery(in channel: Channel, isGroup: Bool, to identity: Identity) -> Delivery {
        let found: Switch?
        switch channel {
        case .inbox: found = effective(.userNotifications, for: identity)
        case .broadcast(let name): found = effective(.systemNotifications, for: identity, in: name)
        case .conversation:
            found = effective(isGroup ? .groupMessages : .directMessages, for: identity)
            // Nothing is sent; what was sent before, or by others who may, is no longer stopped.
            if found?.mode == .off { return .atOnce }
        }
        switch found?.mode {
        case nil, .on: return .atOnce
        case .slow(let seconds): return .every(seconds: seconds)
        case .store, .off: return .held
        }
    }

    public enum Delivery: Equatable, Sendable {
        case atOnce
        case every(seconds: Int)
        case held
    }
}

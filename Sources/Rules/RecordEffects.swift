/// What the rules make of one record, for comparisons.
public struct RecordEffects: Equatable, Sendable {
    /// What one recipient gets.
    public struct Entry: Hashable, Sendable {
        public let rule: String
        /// Of the change: the same when the connector sends it again.
        public let id: String
        /// The channel, as the store names it.
        public let channel: String

        public init(rule: String, id: String, channel: String) {
            self.rule = rule
            self.id = id
            self.channel = channel
        }
    }

    /// Why the record can be read by no rule.
    public struct Rejection: Equatable, Sendable {
        public let reason: String
        public let detail: String

        public init(reason: String, detail: String) {
            self.reason = reason
            self.detail = detail
        }
    }

    public var entries: [Entry] = []
    public var retractions = 0
    public var failures: [RuleFailure] = []
    public var undecided: [String] = []
    public var rejection: Rejection?

    public init() {}

    /// Some rule matched, or the end of a rule's state was found.
    public var hasEffect: Bool { !entries.isEmpty || retractions > 0 }
}

/// Two numbers: what the rules in use do, and what the candidate does.
public struct RuleTally: Equatable, Sendable {
    public var live = 0
    public var candidate = 0

    public init(live: Int = 0, candidate: Int = 0) {
        self.live = live
        self.candidate = candidate
    }

    public var difference: Int { candidate - live }

    public static func += (sum: inout RuleTally, other: RuleTally) {
        sum.live += other.live
        sum.candidate += other.candidate
    }
}

/// Which of the two rule sets.
public enum RuleSide: CaseIterable, Sendable {
    case live, candidate

    var path: WritableKeyPath<RuleTally, Int> { self == .live ? \.live : \.candidate }
}

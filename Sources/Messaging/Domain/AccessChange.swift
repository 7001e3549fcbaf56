/// What a row of a database of the platform says about a user's right to follow a broadcast.
public struct AccessChange: Equatable, Sendable {
    public struct Grant: Equatable, Sendable {
        public let user: UserID
        /// A broadcast.
        public let channel: Channel
        /// Nil: from the beginning, and without end.
        public let from: Timestamp?
        public let until: Timestamp?

        /// Nil for a channel that is not a broadcast.
        public init?(user: UserID, channel: Channel, from: Timestamp?, until: Timestamp?) {
            guard channel.kind == .broadcast else { return nil }
            self.user = user
            self.channel = channel
            self.from = from
            self.until = until
        }
    }

    /// The row, as `Cause.row`.
    public let row: String
    public let rule: String
    /// An older change of the row than the newest that was stored has no effect.
    public let change: ChangePosition
    /// Nil: the row grants nothing any more.
    public let grant: Grant?

    public init(row: String, rule: String, change: ChangePosition, grant: Grant?) {
        self.row = row
        self.rule = rule
        self.change = change
        self.grant = grant
    }
}

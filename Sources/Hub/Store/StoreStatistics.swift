/// What the store has done, for metrics. Written by the store's thread (`refused` by any), read by any.
public final class StoreStatistics: Sendable {
    /// `submit` said no: as many orders as configured were waiting.
    public let ordersRefused = Counter()
    public let ordersAnswered = Counter()
    /// Answered `.unavailable`.
    public let ordersUnavailable = Counter()
    /// Answered `.refused`: the data itself was at fault.
    public let ordersPoisonous = Counter()
    public let entriesStored = Counter()
    public let entriesDuplicate = Counter()
    public let cursorsMoved = Counter()
    public let transactions = Counter()
    /// Rolled back for any reason.
    public let transactionsFailed = Counter()
    public let connectionsMade = Counter()
    public let connectionsLost = Counter()
    /// Orders accepted and not yet answered.
    public let waiting = Gauge()
    /// 1 while another hub has the database's lock.
    public let otherHubs = Gauge()
    /// From sending a transaction to its commit.
    public let entryTransactions = DurationHistogram()
    public let cursorTransactions = DurationHistogram()
    public let readTransactions = DurationHistogram()
    public init() {}
}

package import Telemetry

/// What the store has done, for metrics. Written by the store's thread (`refused` by any), read by any.
package final class StoreStatistics: Sendable {
    /// `submit` said no: as many orders as configured were waiting.
    package let ordersRefused = Counter()
    package let ordersAnswered = Counter()
    /// Answered `.unavailable`.
    package let ordersUnavailable = Counter()
    /// Answered `.refused`: the data itself was at fault.
    package let ordersPoisonous = Counter()
    package let entriesStored = Counter()
    package let entriesDuplicate = Counter()
    package let cursorsMoved = Counter()
    package let transactions = Counter()
    /// Rolled back for any reason.
    package let transactionsFailed = Counter()
    package let connectionsMade = Counter()
    package let connectionsLost = Counter()
    /// Orders accepted and not yet answered.
    package let waiting = Gauge()
    /// 1 while another hub has the database's lock.
    package let otherHubs = Gauge()
    /// From sending a transaction to its commit.
    package let entryTransactions = DurationHistogram()
    package let cursorTransactions = DurationHistogram()
    package let readTransactions = DurationHistogram()
    package init() {}
}

import Linux
import Messaging
package import Telemetry

/// What the store has done, for metrics. The store's thread writes it (`ordersRefused`: any thread), any thread reads it.
/// Its stored properties are the metrics.
package final class StoreStatistics: Sendable {
    /// `submit` refused them: as many orders as configured were waiting.
    package let ordersRefused = Counter()
    package let ordersAnswered = Counter()
    /// Answered `.unavailable`.
    package let ordersUnavailable = Counter()
    /// Answered `.refused`: the database refuses their data.
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

extension StoreStatistics {
    /// Counts one transaction, from sending it until now. Each lane has its histogram.
    func record(_ started: MonotonicInstant, on lane: LaneName) {
        transactions.add()
        let microseconds = UInt64(clamping: (MonotonicInstant.now - started).wholeNanoseconds / 1_000)
        switch lane {
        case .entries: entryTransactions.record(microseconds: microseconds)
        case .cursors: cursorTransactions.record(microseconds: microseconds)
        case .reads: readTransactions.record(microseconds: microseconds)
        }
    }

    func count(_ replies: [StoreReply]) {
        var (stored, duplicate, moved) = (0, 0, 0)
        func count(_ draft: StoredDraft) {
            if draft.duplicate { duplicate += 1 } else { stored += 1 }
        }
        for reply in replies {
            if case .moved(_, changed: true) = reply {
                moved += 1
            } else if case .stored(let drafts) = reply {
                drafts.forEach(count)
            } else if case .partlyStored(let drafts) = reply {
                for case let draft? in drafts { count(draft) }
            }
        }
        if stored > 0 { entriesStored.add(UInt64(stored)) }
        if duplicate > 0 { entriesDuplicate.add(UInt64(duplicate)) }
        if moved > 0 { cursorsMoved.add(UInt64(moved)) }
    }
}

import Bus
import Linux
import Messaging
package import Telemetry

/// What the store has done, for metrics. Written by the store's thread (`refused` by any), read by any.
/// More than twelve stored properties: one for each metric.
package final class StoreStatistics: MetricsGroup {
    /// `submit` said no: as many orders as configured were waiting.
    package let ordersRefused = Counter("hub_store_orders_refused_total", "Orders refused because too many were waiting.")
    package let ordersAnswered = Counter("hub_store_orders_answered_total", "Orders that the store has answered.")
    /// Answered `.unavailable`.
    package let ordersUnavailable = Counter("hub_store_orders_unavailable_total", "Orders given up because PostgreSQL was unreachable.")
    package let ordersOverShare = Counter(
        "hub_store_orders_over_share_total", "Orders answered as unavailable because their user had too many waiting.")
    package let ordersImpatient = Counter(
        "hub_store_orders_impatient_total", "Orders answered as unavailable because they had waited for PostgreSQL too long.")
    package let ingestSlices = Counter(
        "hub_store_ingest_slices_total", "Transactions that stored a part of a batch of events that is larger than a transaction may be.")
    /// Answered `.cancelled`.
    package let ordersCancelled = Counter(
        "hub_store_orders_cancelled_total", "Reads dropped before they reached PostgreSQL because their session had ended.")
    /// Answered `.refused`: the data itself was at fault.
    package let ordersPoisonous = Counter("hub_store_orders_poisonous_total", "Orders whose data PostgreSQL refused.")
    package let entriesStored = Counter("hub_entries_stored_total", "New entries stored.")
    package let entriesDuplicate = Counter("hub_entries_duplicate_total", "Entries received again after they were stored.")
    package let cursorsMoved = Counter("hub_cursors_moved_total", "Acks, mark-reads and mark-unreads that changed a cursor.")
    package let membershipsEnded = Counter(
        "hub_memberships_ended_total", "Ended memberships that were told to the sessions. A leave is told twice.")
    package let transactions = Counter("hub_store_transactions_total", "Transactions run.")
    package let transactionsFailed = Counter("hub_store_transactions_failed_total", "Transactions rolled back.")
    package let connectionsLost = Counter("hub_store_connections_lost_total", "Connections to PostgreSQL lost.")
    package let epochChanges = Counter(
        "hub_store_epoch_changes_total", "Times that the database was found with another history, for example after a restore.")
    package let entriesRemoved = Counter("hub_entries_removed_total", "Entries removed because they were older than they are kept.")
    package let retentionFailures = Counter(
        "hub_retention_failures_total", "Steps of removing old entries that failed and were tried again.")
    package let retentionFinished = Gauge(
        "hub_retention_finished_timestamp_seconds", "When old entries of all channels were last removed; 0: not yet.")
    package let oldestEntry = Gauge(
        "hub_oldest_entry_timestamp_seconds", "Time of the oldest entry, as of when old entries were last removed; 0: none.")
    package let waiting = Gauge("hub_store_orders_waiting", "Orders accepted and not yet answered.")
    package let otherHubs = Gauge("hub_other_hub", "1 while another hub works on the same database.")
    package let nodes = Gauge("hub_nodes", "Hubs on this database that were seen in the last ten seconds, this one included.")
    package let switches = Gauge("hub_switches", "Switches by which operators have changed a feature for a scope, in force now.")
    package let switchFailures = Counter(
        "hub_switch_readings_failed_total", "Times that the switches could not be read; those known count meanwhile.")
    package let journalFound = Counter("hub_bus_found_total", "Changes that other hubs committed and this one found in the database.")
    package let journalMissed = Counter(
        "hub_bus_missed_total", "Times that other hubs had committed more than was read, so that all sessions were read again.")
    package let bellsRung = Counter("hub_bus_rung_total", "Times that other hubs were told to look into the database.")
    package let bellsHeard = Counter("hub_bus_heard_total", "Times that another hub told this one to look into the database.")
    /// From sending a transaction to its commit.
    package let entryTransactions = DurationHistogram(
        "hub_store_entry_transaction_seconds", "Time from sending a transaction that stores entries to its commit.")
    package let cursorTransactions = DurationHistogram(
        "hub_store_cursor_transaction_seconds", "Time from sending a transaction that moves cursors to its commit.")
    package let readTransactions = DurationHistogram("hub_store_read_transaction_seconds", "Time from sending a read to its last row.")
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

    func count(_ events: [BusEvent]) {
        var ended = 0
        for event in events {
            if case .withdrawn = event { ended += 1 }
        }
        if ended > 0 { membershipsEnded.add(UInt64(ended)) }
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

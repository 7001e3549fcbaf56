import Intake
import KeySource
import Linux
import Sessions
import Store
import Synchronization
import Telemetry

/// Everything the hub measures, in Prometheus' text form.
final class HubMetrics: Sendable {
    let serving = ServingMetrics()
    let intake = IntakeMetrics()
    let keys = KeyMetrics()
    private let store: StoreStatistics
    private let health: Health

    init(health: Health, store: StoreStatistics) {
        self.health = health
        self.store = store
    }

    func text() -> String {
        var text = MetricsText()
        for part in Health.Part.allCases {
            text.sample("hub_up", "Whether a part the hub stands on is there.", .gauge, health.isUp(part) ? 1 : 0, ["part": "\(part)"])
        }
        let times = Machine.processorTimes
        text.sample("process_cpu_user_microseconds_total", "Processor time in user mode.", .counter, times.user.wholeNanoseconds / 1_000)
        text.sample(
            "process_cpu_system_microseconds_total", "Processor time in the kernel.", .counter, times.system.wholeNanoseconds / 1_000)
        text.sample("process_resident_memory_bytes", "Resident memory.", .gauge, Int64(Machine.residentBytes))
        write(serving, into: &text)
        write(store, into: &text)
        write(intake, into: &text)
        write(keys, into: &text)
        return text.text
    }

    private func write(_ keys: KeyMetrics, into text: inout MetricsText) {
        text.sample("hub_keys", "Keys that tokens are verified with.", .gauge, keys.keys.value)
        text.counter("hub_key_fetches_total", "Times the keys were looked for at their source.", keys.fetches)
        text.counters("hub_key_fetch_failures_total", "Of these, failed, by reason.", "reason", keys.failures)
        text.counter("hub_key_questions_total", "Tokens that named an unknown key.", keys.questions)
        text.counter("hub_key_questions_dropped_total", "Of these, not asked for: too many were waiting.", keys.questionsDropped)
    }

    private func write(_ serving: ServingMetrics, into text: inout MetricsText) {
        let opened = Int64(clamping: serving.socketsOpened.value)
        text.sample("hub_sockets", "Open WebSocket connections.", .gauge, opened - Int64(clamping: serving.socketsClosed.value))
        text.counter("hub_sockets_opened_total", "Upgraded connections.", serving.socketsOpened)
        text.counter("hub_messages_received_total", "WebSocket messages of clients.", serving.messagesIn)
        text.counter("hub_commands_total", "Commands of clients.", serving.commands)
        text.counters("hub_commands_refused_total", "Commands answered with an error, by code.", "code", serving.refusals)
        text.counter("hub_deliveries_total", "Entries pushed to sessions live.", serving.deliveries)
        text.counter("hub_replayed_total", "Entries pushed to sessions from the store.", serving.replayed)
        text.counter("hub_gaps_total", "Sessions that fell behind and read from the store.", serving.gaps)
        text.counter("hub_resynchronisations_total", "Times a loop missed bus events.", serving.resynchronisations)
        text.counter("hub_store_full_total", "Batches of orders the store had no room for.", serving.storeFull)
        text.counter("hub_tokens_accepted_total", "Verified tokens.", serving.tokensAccepted)
        text.counters("hub_tokens_rejected_total", "Refused tokens, by reason.", "reason", serving.tokensRejected)
        text.counter("hub_http_requests_total", "Plain HTTP requests.", serving.requests)
        text.counters("hub_http_requests_refused_total", "Malformed requests, by status.", "status", serving.requestsRefused)
        text.counters("hub_upgrades_refused_total", "Refused handshakes, by reason.", "reason", serving.upgradesRefused)
        text.counter("hub_head_timeouts_total", "Connections that did not finish a request head.", serving.headTimeouts)
        text.counter("hub_connect_timeouts_total", "Connections without a connect in time.", serving.dwellTimeouts)
        text.counter("hub_idle_timeouts_total", "Sessions ended because their user was idle.", serving.idleTimeouts)
        let streams = Int64(clamping: serving.streamsOpened.value) - Int64(clamping: serving.streamsClosed.value)
        text.sample("hub_event_streams", "Open event streams.", .gauge, streams)
        text.counter("hub_event_streams_opened_total", "Event streams begun.", serving.streamsOpened)
        text.counter("hub_polls_total", "Polls of living sessions.", serving.polls)
        text.counter(
            "hub_connections_handed_over_total", "Connections whose request belonged to a session of another event loop.", serving.handovers
        )
        text.counter("hub_pong_timeouts_total", "Connections lost in silence.", serving.pongTimeouts)
        text.counter("hub_slow_consumers_total", "Connections closed because they did not read.", serving.slowConsumers)
        text.counter("hub_compressions_total", "Frames compressed.", serving.compressions)
        text.sample(
            "hub_io_uring_loops", "Event loops that send to many sockets in one system call.", .gauge, serving.loopsTogether.value)
        text.counters("hub_closes_total", "Connections closed by the hub, by reason.", "reason", serving.closes)
        text.counters("hub_protocol_violations_total", "Connections failed, by violation.", "violation", serving.violations)
    }

    private func write(_ store: StoreStatistics, into text: inout MetricsText) {
        text.counter("hub_store_orders_answered_total", "Orders the store answered.", store.ordersAnswered)
        text.counter("hub_store_orders_refused_total", "Orders the store had no room for.", store.ordersRefused)
        text.counter("hub_store_orders_unavailable_total", "Orders given up because PostgreSQL was away.", store.ordersUnavailable)
        text.counter("hub_store_orders_poisonous_total", "Orders whose data PostgreSQL refused.", store.ordersPoisonous)
        text.sample("hub_store_orders_waiting", "Orders accepted and not yet answered.", .gauge, store.waiting.value)
        text.sample(
            "hub_other_hub", "1 while another hub works on the same database, which is not supported yet.", .gauge, store.otherHubs.value)
        text.counter("hub_entries_stored_total", "New entries.", store.entriesStored)
        text.counter("hub_entries_duplicate_total", "Entries that were stored before.", store.entriesDuplicate)
        text.counter("hub_cursors_moved_total", "Acks and marks that changed a cursor.", store.cursorsMoved)
        text.counter("hub_store_transactions_total", "Transactions.", store.transactions)
        text.counter("hub_store_transactions_failed_total", "Transactions rolled back.", store.transactionsFailed)
        text.counter("hub_store_connections_lost_total", "Connections to PostgreSQL lost.", store.connectionsLost)
        text.histogram("hub_store_entry_transaction_seconds", "From sending entries to their commit.", store.entryTransactions)
        text.histogram("hub_store_cursor_transaction_seconds", "From sending cursor moves to their commit.", store.cursorTransactions)
        text.histogram("hub_store_read_transaction_seconds", "From asking to the last row.", store.readTransactions)
    }

    private func write(_ intake: IntakeMetrics, into text: inout MetricsText) {
        text.counter("hub_kafka_records_total", "Records read.", intake.records)
        text.counter("hub_kafka_record_bytes_total", "Bytes of records read.", intake.recordBytes)
        text.counter("hub_intake_batches_total", "Batches stored.", intake.batches)
        text.counter("hub_intake_records_total", "Records in those batches.", intake.storedRecords)
        text.counter("hub_intake_entries_total", "Entries made of records.", intake.entries)
        text.counter("hub_intake_duplicates_total", "Entries of records that were delivered again.", intake.duplicates)
        text.counters("hub_intake_discards_total", "Records that make no entry, by reason.", "reason", intake.discards)
        text.counters("hub_dead_letters_total", "Records put aside, by reason.", "reason", intake.deadLetters)
        text.counters(
            "hub_dead_letter_failures_total", "Dead letters that could not be written, by reason.", "reason", intake.deadLetterFailures)
        text.counters("hub_intake_retries_total", "Batches tried again, by reason.", "reason", intake.retries)
        text.sample(
            "hub_dead_letter_topic_up", "1 when the dead-letter topic is there, 0 when it cannot be written to, -1 before either is known.",
            .gauge, intake.deadLetterTopic.value)
        text.sample("hub_intake_paused", "1 while nothing is read.", .gauge, intake.paused.value)
        text.counters("hub_intake_pauses_total", "Times reading was paused, by cause.", "cause", intake.pauses)
        text.counters("hub_kafka_rebalances_total", "Changes of the assignment.", "kind", intake.rebalances)
        text.sample("hub_kafka_partitions", "Partitions assigned.", .gauge, intake.partitions.value)
        text.sample("hub_kafka_lag_records", "Records in the broker not stored yet.", .gauge, intake.lag.value)
        text.sample(
            "hub_kafka_lag_records_max", "Of these, those of the partition with the most.", .gauge, intake.largestPartitionLag.value)
        text.counter("hub_kafka_commits_total", "Offset commits.", intake.commits)
        text.counters("hub_kafka_commit_failures_total", "Offset commits that failed, by error.", "error", intake.commitFailures)
        text.sample(
            "hub_kafka_brokers_up", "1 when a broker can be reached, 0 when none can, -1 before either is known.", .gauge,
            intake.brokersUp.value)
        text.counters("hub_kafka_client_errors_total", "Errors of the Kafka client.", "error", intake.clientErrors)
        text.counter("hub_kafka_client_restarts_total", "Times the client was made anew.", intake.clientRestarts)
    }
}

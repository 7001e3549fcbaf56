package import Telemetry

/// What the intake counts. Written by its thread, read by any.
/// More than twelve stored properties: one for each metric.
package final class IntakeMetrics: MetricsGroup {
    package let records = Counter("hub_kafka_records_total", "Records read.")
    package let recordBytes = Counter("hub_kafka_record_bytes_total", "Bytes of records read.")
    /// Requests to the store that were stored; with `storedRecords` the batch size.
    package let batches = Counter("hub_intake_batches_total", "Batches stored.")
    package let storedRecords = Counter("hub_intake_records_total", "Records in those batches.")
    package let entries = Counter("hub_intake_entries_total", "Entries made of records.")
    /// Entries the store already had: redeliveries.
    package let duplicates = Counter("hub_intake_duplicates_total", "Entries of records that were delivered again.")
    package let discards = LabelledCounter("hub_intake_discards_total", "Records that make no entry, by reason.", label: "reason")
    package let deadLetters = LabelledCounter("hub_dead_letters_total", "Records put aside, by reason.", label: "reason")
    package let deadLetterFailures = LabelledCounter(
        "hub_dead_letter_failures_total", "Dead letters that could not be written, by reason.", label: "reason")
    package let deadLetterTopic = Gauge(
        "hub_dead_letter_topic_up", "1 when the dead-letter topic is there, 0 when it cannot be written to, -1 before either is known.",
        initial: -1)
    /// Requests tried again, by why: `unavailable`, `full`, `slow`, `refused`.
    package let retries = LabelledCounter("hub_intake_retries_total", "Batches tried again, by reason.", label: "reason")
    package let paused = Gauge("hub_intake_paused", "1 while nothing is read.")
    package let pauses = LabelledCounter("hub_intake_pauses_total", "Times reading was paused, by cause.", label: "cause")
    /// By what happened: `assigned`, `revoked`, `lost`, `restarted`.
    package let rebalances = LabelledCounter("hub_kafka_rebalances_total", "Changes of the assignment.", label: "kind")
    package let partitions = Gauge("hub_kafka_partitions", "Partitions assigned.")
    /// Records in the broker that are not stored yet, all partitions together, as of the last fetch.
    package let lag = Gauge("hub_kafka_lag_records", "Records in the broker not stored yet.")
    package let largestPartitionLag = Gauge("hub_kafka_lag_records_max", "Of these, those of the partition with the most.")
    package let commits = Counter("hub_kafka_commits_total", "Offset commits.")
    package let commitFailures = LabelledCounter("hub_kafka_commit_failures_total", "Offset commits that failed, by error.", label: "error")
    package let brokersUp = Gauge(
        "hub_kafka_brokers_up", "1 when a broker can be reached, 0 when none can, -1 before either is known.", initial: -1)
    package let clientErrors = LabelledCounter("hub_kafka_client_errors_total", "Errors of the Kafka client.", label: "error")
    package let clientRestarts = Counter("hub_kafka_client_restarts_total", "Times the client was made anew.")

    package init() {}
}

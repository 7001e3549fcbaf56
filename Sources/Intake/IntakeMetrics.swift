package import Telemetry

/// What the intake counts. Written by its thread, read by any.
/// More than twelve stored properties: one for each metric.
package final class IntakeMetrics: MetricsGroup {
    package let records = Counter("hub_kafka_records_total", "Records read from Kafka.")
    package let recordBytes = Counter("hub_kafka_record_bytes_total", "Bytes of records read from Kafka.")
    /// Requests to the store that were stored; with `storedRecords` the batch size.
    package let batches = Counter("hub_intake_batches_total", "Batches of records stored.")
    package let storedRecords = Counter("hub_intake_records_total", "Records in the stored batches.")
    package let entries = Counter("hub_intake_entries_total", "Entries made from records.")
    /// Entries the store already had: redeliveries.
    package let duplicates = Counter("hub_intake_duplicates_total", "Entries of records that were delivered again.")
    package let discards = LabelledCounter("hub_intake_discards_total", "Records that make no entry, by reason.", label: "reason")
    package let deadLetters = LabelledCounter(
        "hub_dead_letters_total", "Records written to the dead-letter topic, by reason.", label: "reason")
    package let deadLetterFailures = LabelledCounter(
        "hub_dead_letter_failures_total", "Dead letters that could not be written, by reason.", label: "reason")
    package let deadLetterTopic = Gauge(
        "hub_dead_letter_topic_up",
        "1 when the dead-letter topic exists, 0 when the hub cannot write to it, -1 while the state is unknown.",
        initial: -1)
    /// Requests tried again, by why: `unavailable`, `full`, `slow`, `refused`.
    package let retries = LabelledCounter("hub_intake_retries_total", "Batches tried again, by reason.", label: "reason")
    package let rewinds = Counter(
        "hub_intake_rewinds_total", "Times that a partition was read again, because the database was behind what had been stored.")
    package let rewoundRecords = Counter(
        "hub_intake_rewound_records_total", "Offsets read again, because the database was behind what had been stored.")
    package let paused = Gauge("hub_intake_paused", "1 while the hub does not read from Kafka.")
    package let pauses = LabelledCounter("hub_intake_pauses_total", "Pauses of reading from Kafka, by cause.", label: "cause")
    /// By what happened: `assigned`, `revoked`, `lost`, `restarted`.
    package let rebalances = LabelledCounter("hub_kafka_rebalances_total", "Changes of the assigned partitions, by kind.", label: "kind")
    package let removedRecords = Counter(
        "hub_kafka_removed_records_total", "Offsets that Kafka's retention removed before the hub read them.")
    package let refusals = Gauge(
        "hub_kafka_refusals", "Topics that the hub has no right to read, and 1 more when it may not join its group.")
    package let partitions = Gauge("hub_kafka_partitions", "Partitions assigned to this hub.")
    /// Records in the broker that are not stored yet, all partitions together, as of the last fetch.
    package let lag = Gauge("hub_kafka_lag_records", "Records in Kafka that are not stored yet.")
    package let largestPartitionLag = Gauge(
        "hub_kafka_lag_records_max", "Records in Kafka that are not stored yet, of the partition that has the most.")
    package let commits = Counter("hub_kafka_commits_total", "Offset commits.")
    package let commitFailures = LabelledCounter("hub_kafka_commit_failures_total", "Offset commits that failed, by error.", label: "error")
    package let brokersUp = Gauge(
        "hub_kafka_brokers_up", "1 when a broker is reachable, 0 when none is, -1 while the state is unknown.", initial: -1)
    package let clientErrors = LabelledCounter("hub_kafka_client_errors_total", "Errors of the Kafka client, by error.", label: "error")
    package let clientRestarts = Counter("hub_kafka_client_restarts_total", "Restarts of the Kafka client.")

    package let rules = Gauge("hub_rules", "Rules over changes of the platform's tables.")
    package let rulesUpToDate = Gauge(
        "hub_rules_up_to_date", "1 when the rules in use are those of the file, 0 when the file was refused, -1 without a file.",
        initial: -1)
    package let rulesRefused = Counter("hub_rules_refused_total", "Times that a changed rules file was refused.")
    package let ruleEvents = Counter("hub_rule_events_total", "Events that rules made of changes of rows.")
    package let ruleRetractions = Counter("hub_rule_retractions_total", "Retractions that rules made of changes of rows.")
    package let ruleFailures = Counter("hub_rule_failures_total", "Rules that had no result for a change because of an error.")
    package let ruleUndecided = Counter(
        "hub_rule_undecided_total", "Rules that had no result because the database did not deliver a value of the row.")

    package let silentSources = LabelledGauge(
        "hub_source_silent", "1 while a source of changes is silent (source.silent-after), else 0.", label: "source")
    package let sourceAge = LabelledGauge(
        "hub_source_age_seconds", "Time since any hub of the group heard a source of changes.", label: "source")

    package init() {}
}

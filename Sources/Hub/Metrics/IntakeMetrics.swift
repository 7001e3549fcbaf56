/// What the intake counts. Written by its thread, read by any.
final class IntakeMetrics: Sendable {
    let records = Counter()
    let recordBytes = Counter()
    /// Requests to the store that were stored; with `storedRecords` the batch size.
    let batches = Counter()
    let storedRecords = Counter()
    let entries = Counter()
    /// Entries the store already had: redeliveries.
    let duplicates = Counter()
    let discards = LabelledCounter()
    let deadLetters = LabelledCounter()
    let deadLetterFailures = LabelledCounter()
    /// 1 when the dead-letter topic is there, 0 when letters cannot be written for its sake, -1 before either is known.
    let deadLetterTopic = Gauge()
    /// Requests tried again, by why: `unavailable`, `full`, `slow`, `refused`.
    let retries = LabelledCounter()
    /// 1 while nothing is read.
    let paused = Gauge()
    let pauses = LabelledCounter()
    /// By what happened: `assigned`, `revoked`, `lost`, `restarted`.
    let rebalances = LabelledCounter()
    let partitions = Gauge()
    /// Records in the broker that are not stored yet, all partitions together, as of the last fetch.
    let lag = Gauge()
    let largestPartitionLag = Gauge()
    let commits = Counter()
    let commitFailures = LabelledCounter()
    /// 1 when a broker can be reached, 0 when none can, -1 before either is known.
    let brokersUp = Gauge()
    let clientErrors = LabelledCounter()
    let clientRestarts = Counter()

    init() {
        brokersUp.set(-1)
        deadLetterTopic.set(-1)
    }
}

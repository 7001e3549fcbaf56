package import Telemetry

/// The metrics of the intake, one for each of its stored properties. Its thread writes them, any thread reads them.
package final class IntakeMetrics: Sendable {
    package let records = Counter()
    package let recordBytes = Counter()
    /// Requests to the store that were stored; with `storedRecords` the batch size.
    package let batches = Counter()
    package let storedRecords = Counter()
    package let entries = Counter()
    /// Entries the store already had: redeliveries.
    package let duplicates = Counter()
    package let discards = LabelledCounter()
    package let deadLetters = LabelledCounter()
    package let deadLetterFailures = LabelledCounter()
    /// 1 when the dead-letter topic exists, 0 when it keeps letters from being written, -1 before either is known.
    package let deadLetterTopic = Gauge()
    /// Requests tried again, by why: `unavailable`, `full`, `slow`, `refused`.
    package let retries = LabelledCounter()
    /// 1 while nothing is read.
    package let paused = Gauge()
    package let pauses = LabelledCounter()
    /// By what happened: `assigned`, `revoked`, `lost`, `restarted`.
    package let rebalances = LabelledCounter()
    package let partitions = Gauge()
    /// Records in the broker that are not stored yet, all partitions together, as of the last fetch.
    package let lag = Gauge()
    package let largestPartitionLag = Gauge()
    package let commits = Counter()
    package let commitFailures = LabelledCounter()
    /// 1 when a broker can be reached, 0 when none can, -1 before either is known.
    package let brokersUp = Gauge()
    package let clientErrors = LabelledCounter()
    package let clientRestarts = Counter()

    package init() {
        brokersUp.set(-1)
        deadLetterTopic.set(-1)
    }
}

import Kafka

/// Why reading is paused.
enum IntakeObstacle: String, Equatable, Sendable, CaseIterable {
    case storeUnavailable = "store_unavailable"
    case storeFull = "store_full"
    case storeSlow = "store_slow"
    case deadLetters = "dead_letters"
}

/// An event for the log and the counters.
enum IntakeNote: Equatable {
    case stored(records: Int, entries: Int, duplicates: Int, discards: [String])
    case storeUnavailable(attempt: Int)
    case storeFull(attempt: Int)
    /// The database took too long over so many records in one transaction.
    case storeTooSlow(records: Int, attempt: Int)
    case refused(records: Int, String)
    case deadLettered(Letter)
    case letterFailed(Letter, KafkaError.Kind, attempt: Int)
    case commitFailed(CommitResult)
    /// The database has the partition only up to `from`, though everything up to `to` had been stored: these records are read again.
    case behind(TopicPartition, from: Int64, to: Int64)
    case paused(IntakeObstacle)
    case resumed
}

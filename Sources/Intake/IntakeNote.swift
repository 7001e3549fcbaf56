import Kafka

/// Why nothing is read.
enum IntakeObstacle: String, Equatable, Sendable, CaseIterable {
    case storeUnavailable = "store_unavailable"
    case storeFull = "store_full"
    case storeSlow = "store_slow"
    case deadLetters = "dead_letters"
}

/// What happened, for the log and the counters.
enum IntakeNote: Equatable {
    case stored(records: Int, entries: Int, duplicates: Int, discards: [String])
    case storeUnavailable(attempt: Int)
    case storeFull(attempt: Int)
    /// The database gave up on that many records at once.
    case storeTooSlow(records: Int, attempt: Int)
    case refused(records: Int, String)
    case buried(Letter)
    case letterFailed(Letter, KafkaError.Kind, attempt: Int)
    case commitFailed(CommitResult)
    case paused(IntakeObstacle)
    case resumed
}

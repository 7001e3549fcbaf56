import Kafka

/// The dead letters of the batch that are not yet in the dead-letter topic.
struct OpenLetters {
    /// The letters without a report, by token.
    private var unreported: [UInt64: Letter] = [:]
    private var failed: [Letter] = []
    /// A letter failed for another reason than its size, so that trying again at once would not help.
    var mustWait = false

    var areReported: Bool { unreported.isEmpty }
    var haveFailed: Bool { !failed.isEmpty }

    mutating func open(_ letters: [Letter]) {
        mustWait = false
        for letter in letters { unreported[letter.token] = letter }
    }

    /// The report about a letter came. nil: it is not one of these.
    mutating func remove(_ token: UInt64) -> Letter? { unreported.removeValue(forKey: token) }

    mutating func fail(_ letter: Letter) { failed.append(letter) }

    mutating func takeFailed() -> [Letter] {
        defer { failed = [] }
        return failed
    }

    mutating func forget(_ partitions: Set<TopicPartition>) {
        failed.removeAll { partitions.contains($0.record.topicPartition) }
        unreported = unreported.filter { !partitions.contains($0.value.record.topicPartition) }
    }
}

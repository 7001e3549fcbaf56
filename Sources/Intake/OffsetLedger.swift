import Kafka

/// Which offsets may be committed, and which were committed already.
///
/// Only offsets of `stored` are ever committed, and only for partitions that are held.
struct OffsetLedger {
    private(set) var held: Set<TopicPartition> = []
    /// Held partitions that the group wants back.
    var releasing: [TopicPartition] = []
    /// The offset after the last record that is stored, discarded or dead-lettered, with all before it.
    private var stored: [TopicPartition: Int64] = [:]
    private var asked: [TopicPartition: Int64] = [:]
    /// The offset up to which everything must be in the database: where the group had committed, and later `stored`.
    private(set) var floors: [TopicPartition: Int64] = [:]
    /// Partitions of which something was stored since the group gave them.
    private var claimed: Set<TopicPartition> = []
    /// The offsets to which reading returns. Until it has returned there, records of these partitions are not taken.
    private(set) var returning: [TopicPartition: Int64] = [:]

    mutating func hold(_ partitions: [TopicPartition], committed: [NextOffset]) {
        // The group says where reading starts. Offsets of an earlier assignment no longer count.
        forget(partitions)
        held.formUnion(partitions)
        for next in committed where held.contains(next.partition) { floors[next.partition] = next.offset }
    }

    /// The database has the partition only up to `offset`: everything from there on is due again.
    mutating func goBack(_ partition: TopicPartition, to offset: Int64) {
        guard held.contains(partition) else { return }
        stored[partition] = nil
        asked[partition] = nil
        floors[partition] = offset
        returning[partition] = offset
    }

    mutating func returned(_ partitions: some Sequence<TopicPartition>) {
        for partition in partitions { returning[partition] = nil }
    }

    mutating func forget(_ partitions: some Sequence<TopicPartition>) {
        for partition in partitions {
            held.remove(partition)
            stored[partition] = nil
            asked[partition] = nil
            floors[partition] = nil
            returning[partition] = nil
            claimed.remove(partition)
        }
    }

    func isClaimed(_ partition: TopicPartition) -> Bool { claimed.contains(partition) }

    /// A lower offset than before is taken too, because a topic that was made anew starts over.
    mutating func store(_ partition: TopicPartition, next offset: Int64) {
        guard held.contains(partition) else { return }
        stored[partition] = offset
        floors[partition] = offset
        claimed.insert(partition)
    }

    func next(of partition: TopicPartition) -> Int64? { stored[partition] }

    /// The offsets that were not committed yet. They count as committed from now on.
    mutating func takeDue(of partitions: Set<TopicPartition>? = nil) -> [NextOffset] {
        var due: [NextOffset] = []
        for (partition, offset) in stored where asked[partition] != offset && partitions?.contains(partition) ?? true {
            asked[partition] = offset
            due.append(NextOffset(partition, offset))
        }
        return due.sorted { $0.partition < $1.partition }
    }

    /// A commit that failed is due again.
    mutating func answered(_ results: [CommitResult]) {
        for result in results where result.failure != nil && asked[result.next.partition] == result.next.offset {
            asked[result.next.partition] = nil
        }
    }
}

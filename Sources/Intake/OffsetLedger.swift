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

    mutating func hold(_ partitions: [TopicPartition]) {
        // The group says where reading starts. Offsets of an earlier assignment no longer count.
        forget(partitions)
        held.formUnion(partitions)
    }

    mutating func forget(_ partitions: some Sequence<TopicPartition>) {
        for partition in partitions {
            held.remove(partition)
            stored[partition] = nil
            asked[partition] = nil
        }
    }

    /// A lower offset than before is taken too, because a topic that was made anew starts over.
    mutating func store(_ partition: TopicPartition, next offset: Int64) {
        guard held.contains(partition) else { return }
        stored[partition] = offset
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

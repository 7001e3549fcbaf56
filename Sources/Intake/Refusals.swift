import Kafka

/// What Kafka refuses the hub: topics that it has no right to read, and its group.
struct Refusals {
    private(set) var partitions: Set<TopicPartition> = []
    private var isGroupRefused = false

    var isEmpty: Bool { partitions.isEmpty && !isGroupRefused }
    /// Topics, and the group or the client as a whole.
    var count: Int { Set(partitions.map(\.topic)).count + (isGroupRefused ? 1 : 0) }

    /// - Parameter partition: nil when the group, or the client as a whole, is refused.
    /// - Returns: whether it was not refused before.
    mutating func refused(_ partition: TopicPartition?) -> Bool {
        guard let partition else {
            defer { isGroupRefused = true }
            return !isGroupRefused
        }
        let isNew = !partitions.contains { $0.topic == partition.topic }
        partitions.insert(partition)
        return isNew
    }

    /// - Returns: whether it was refused before.
    mutating func allowed(_ topic: String) -> Bool {
        let before = partitions.count
        partitions = partitions.filter { $0.topic != topic }
        return partitions.count != before
    }

    mutating func groupIsAllowed() -> Bool {
        defer { isGroupRefused = false }
        return isGroupRefused
    }
}

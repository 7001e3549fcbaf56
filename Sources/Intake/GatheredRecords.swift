import Kafka

/// Records that were read while a request was in flight.
struct GatheredRecords {
    private(set) var records: [JudgedRecord] = []
    private(set) var bytes = 0

    mutating func append(_ more: [JudgedRecord]) {
        records += more
        bytes += Self.bytes(of: more)
    }

    mutating func takeAll() -> [JudgedRecord] {
        defer { self = GatheredRecords() }
        return records
    }

    mutating func remove(_ partitions: Set<TopicPartition>) {
        records.removeAll { partitions.contains($0.partition) }
        bytes = Self.bytes(of: records)
    }

    /// By index: a record that is taken out of its array is copied, and everything it refers to is retained.
    private static func bytes(of records: [JudgedRecord]) -> Int {
        var bytes = 0
        for index in records.indices { bytes += records[index].record.sizeBytes }
        return bytes
    }
}

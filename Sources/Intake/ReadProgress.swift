import Kafka

/// How far each partition was read, and what is missing between what was read.
///
/// A gap alone means nothing: markers of transactions and compaction leave gaps. A gap that begins before the first record that Kafka
/// still has means that retention removed records before the hub read them.
struct ReadProgress {
    enum Finding: Equatable {
        /// The offsets from `from` up to but not including `to` were removed unread. Some of them may have held no record.
        case removed(TopicPartition, from: Int64, to: Int64)
        /// The partition begins again below what was read: the topic was made anew, or the brokers lost its end.
        case startedOver(TopicPartition, at: Int64, after: Int64)
    }

    private struct Place {
        /// Where reading began.
        let start: Int64
        /// The offset that follows what was read, the end of the partition included.
        var next: Int64
        /// The offset after the last record. Markers of transactions may follow it.
        var afterRecord: Int64

        init(_ offset: Int64) { (start, next, afterRecord) = (offset, offset, offset) }
    }

    private var places: [TopicPartition: Place] = [:]

    /// Reading begins at the offset, or anywhere.
    mutating func begin(_ partition: TopicPartition, at offset: Int64?) {
        places[partition] = offset.map { Place($0) }
    }

    mutating func forget(_ partitions: some Sequence<TopicPartition>) {
        for partition in partitions { places[partition] = nil }
    }

    func next(of partition: TopicPartition) -> Int64? { places[partition]?.next }

    /// Records of one partition, in order.
    /// - Parameter low: the offset of the first record that Kafka still has. Asked only where there is a gap.
    mutating func read(_ records: ArraySlice<KafkaRecord>, low: (TopicPartition) -> Int64?) -> [Finding] {
        guard let first = records.first else { return [] }
        let partition = first.topicPartition
        var findings: [Finding] = []
        var place = places[partition] ?? Place(first.offset)
        for index in records.indices {
            let offset = records[index].offset
            if offset != place.next, let finding = finding(partition, expected: place.next, found: offset, low) { findings.append(finding) }
            place.next = offset &+ 1
            place.afterRecord = offset &+ 1
        }
        places[partition] = place
        return findings
    }

    /// The end of the partition was reached.
    mutating func ended(_ partition: TopicPartition, at offset: Int64, low: (TopicPartition) -> Int64?) -> Finding? {
        guard let place = places[partition] else {
            begin(partition, at: offset)
            return nil
        }
        places[partition]?.next = offset
        if offset < place.afterRecord { places[partition]?.afterRecord = offset }
        return offset == place.next ? nil : finding(partition, expected: place.next, found: offset, low)
    }

    private func finding(
        _ partition: TopicPartition, expected: Int64, found: Int64, _ low: (TopicPartition) -> Int64?
    ) -> Finding? {
        if found < expected { return .startedOver(partition, at: found, after: expected) }
        guard let low = low(partition), low > expected else { return nil }
        return .removed(partition, from: expected, to: min(low, found))
    }

    /// How many offsets up to `high` are not stored. Markers behind the last record are nothing to store.
    /// - Parameter stored: the offset after the last record that is stored, nil when none was.
    func lag(of partition: TopicPartition, stored: Int64?, high: Int64) -> Int64 {
        guard let place = places[partition] else { return 0 }
        let stored = stored ?? place.start
        return max(0, high &- (stored >= place.afterRecord ? max(stored, place.next) : stored))
    }
}

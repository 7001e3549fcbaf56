import Intake
import Kafka
import Messaging
import Rules

/// Reads changes for a replay: the range and what follows it, and later what has come since, until the events are sent.
struct ReplayReading {
    private(set) var replay: RuleReplay
    private(set) var inRange = 0
    private(set) var after = 0
    private var rehearsal: RuleRehearsal
    private let reader: RangeReader
    private let range: ChangeRange
    private let plan: ChangeRange.Plan
    /// The next offset to read.
    private var next: [TopicPartition: Int64]
    private let mostRecords: Int

    init(_ plan: ChangeRange.Plan, _ range: ChangeRange, _ reader: RangeReader, rules: RuleSet, rule: String, mostRecords: Int) {
        self.plan = plan
        self.range = range
        self.reader = reader
        self.mostRecords = mostRecords
        replay = RuleReplay(rule: rule)
        rehearsal = RuleRehearsal(rules)
        next = Dictionary(uniqueKeysWithValues: plan.ranges.map { ($0.partition, $0.range.lowerBound) })
    }

    /// Reads to the newest record there is now.
    mutating func readOn() throws(CommandFailure) {
        do throws(KafkaError) {
            // To the newest record, and not to the end of the range: a row that has left the state since must not notify.
            let now = try reader.ranges(of: plan.ranges.map(\.partition), from: .beginning, to: .end)
            let missing = now.map { now in
                let start = max(next[now.partition] ?? now.kept.lowerBound, now.kept.lowerBound)
                return PartitionRange(now.partition, kept: now.kept, range: start..<max(start, now.kept.upperBound))
            }
            let isWhole = try read(missing)
            guard isWhole else {
                throw KafkaError(
                    kind: .other, name: "_LIMIT",
                    message: "--limit \(mostRecords) was reached before the newest record, so it is not known what became of the rows")
            }
            for range in missing { next[range.partition] = range.range.upperBound }
        } catch {
            throw error.name == "_LIMIT" ? CommandFailure(.failed, error.message) : ChangeRange.failure(error, range.brokers)
        }
    }

    /// False: the limit was reached.
    private mutating func read(_ ranges: [PartitionRange]) throws(KafkaError) -> Bool {
        let ends = Dictionary(uniqueKeysWithValues: plan.ranges.map { ($0.partition, $0.range.upperBound) })
        var isWhole = true
        var reading = self
        try reader.read(ranges) { record in
            guard reading.inRange + reading.after < mostRecords else {
                isWhole = false
                return false
            }
            let isInRange = record.offset < (ends[record.topicPartition] ?? 0) && range.contains(record)
            if isInRange { reading.inRange += 1 } else { reading.after += 1 }
            guard let change = reading.rehearsal.change(in: record) else { return true }
            reading.replay.add(
                change.outcome, of: change.row, at: change.position,
                in: RecordOrigin(topic: record.topic, partition: record.partition, offset: record.offset), isInRange: isInRange)
            return true
        }
        self = reading
        return isWhole
    }
}

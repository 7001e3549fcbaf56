package import Configuration
import Embedded
package import Kafka
import Linux
import Messaging

/// A range of the topics of change data capture, as an operator names it.
package struct ChangeRange {
    /// Milliseconds since 1970.
    package let now: Int64
    package let from: RangeBound
    package let to: RangeBound
    private let kafka: Configuration.Kafka
    private let topics: [String]
    private let limit: Duration

    /// - Parameter topics: instead of `rules.topics`; empty: those.
    package init(
        _ configuration: Configuration, topics: [String], from: String, to: String, within limit: Duration, now: Int64 = Self.clock
    ) throws(CommandFailure) {
        var kafka = configuration.kafka
        if kafka.brokers.isEmpty {
            guard let facts = EmbeddedLocation(folder: configuration.data).facts else {
                throw CommandFailure(
                    .unavailable, "no embedded hub runs in \(configuration.data), and kafka.brokers (HUB_KAFKA_BROKERS) is not set")
            }
            kafka.brokers = [facts.kafkaBrokers]
        }
        self.kafka = kafka
        self.topics = topics.isEmpty ? configuration.rules.topics : topics
        self.limit = limit
        self.now = now
        self.from = try Self.bound(from, of: "--from", now)
        self.to = try Self.bound(to, of: "--to", now)
        guard !self.topics.isEmpty else {
            throw CommandFailure(.usage, "rules.topics is empty: set it, or name topics of change data capture with --topic")
        }
        switch (self.from, self.to) {
        case (.time(let from), .time(let to)) where from >= to, (.offset(let from), .offset(let to)) where from >= to:
            throw CommandFailure(.usage, "--from \(from) is not before --to \(to)")
        case (.time(let time), _) where time > now:
            throw CommandFailure(.usage, "--from \(from): that is in the future")
        case (.end, _): throw CommandFailure(.usage, "--from end: nothing comes after the end")
        case (_, .beginning): throw CommandFailure(.usage, "--to beginning: nothing comes before the beginning")
        default: break
        }
    }

    package static var clock: Int64 { WallClock.now() }

    /// `beginning`, `end`, an offset, a time or a day of RFC 3339, or a duration such as `2h`: so long ago.
    static func bound(_ text: String, of flag: String, _ now: Int64) throws(CommandFailure) -> RangeBound {
        switch text {
        case "beginning": return .beginning
        case "end": return .end
        default: break
        }
        if let offset = Int64(text), offset >= 0 { return .offset(offset) }
        if let time = Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "T00:00:00Z") { return .time(time.milliseconds) }
        if let ago = Duration(quantity: text) {
            let (seconds, attoseconds) = ago.components
            return .time(now - seconds * 1_000 - attoseconds / 1_000_000_000_000_000)
        }
        throw CommandFailure(
            .usage, "\(flag) \(text): expected a time (2026-11-30T08:00:00Z, 2026-11-30), a duration ago (2h), an offset, beginning or end")
    }

    // MARK: Reading

    package var brokers: String { kafka.brokers.joined(separator: ",") }
    package var properties: ClientProperties { ClientProperties(kafka.properties.map { ($0.name, $0.value) }) }

    /// The partitions, and what of them is in the range.
    package struct Plan: Equatable {
        package var ranges: [PartitionRange]
        /// What an operator should know of the range although it can be read.
        package var notes: [String] = []

        package var topics: [String] { Set(ranges.map(\.partition.topic)).sorted() }
        package var count: Int64 { ranges.reduce(0) { $0 + Int64($1.range.count) } }
    }

    /// - Throws: also when no record lies in the range.
    package func plan(_ reader: RangeReader) throws(CommandFailure) -> Plan {
        let metadata: ClusterMetadata
        do throws(KafkaError) {
            metadata = try ClusterMetadata.fetch(brokers: brokers, properties: properties, within: limit)
        } catch {
            throw Self.failure(error, brokers)
        }
        let names = try Self.topicNames(
            topics, among: Array(metadata.partitions.keys), without: Set(kafka.topics + [kafka.deadLetterTopic]))
        let partitions = names.flatMap { name in (0..<(metadata.partitions[name] ?? 0)).map { TopicPartition(name, Int32($0)) } }
        let ranges: [PartitionRange]
        do throws(KafkaError) {
            ranges = try reader.ranges(of: partitions, from: from, to: to)
        } catch {
            throw Self.failure(error, brokers)
        }
        return try Self.judged(ranges, from, to)
    }

    package static func failure(_ error: KafkaError, _ brokers: String) -> CommandFailure {
        CommandFailure(.unavailable, "Kafka at \(brokers): \(error.message)")
    }

    /// The topics that exist, in their order. A pattern never means the hub's own topics.
    static func topicNames(
        _ wanted: [String], among existing: [String], without own: Set<String>
    ) throws(CommandFailure) -> [String] {
        var names: Set<String> = []
        for name in wanted {
            guard name.hasPrefix("^") else {
                guard existing.contains(name) else {
                    let others = existing.filter { !$0.hasPrefix("__") && !own.contains($0) }.sorted().prefix(10)
                    throw CommandFailure(
                        .unavailable,
                        "there is no topic \(name)" + (others.isEmpty ? "" : "; there are: " + others.joined(separator: ", ")))
                }
                names.insert(name)
                continue
            }
            guard let pattern = try? Regex(name) else { throw CommandFailure(.usage, "\(name) is not a regular expression") }
            let found = existing.filter { !$0.hasPrefix("__") && !own.contains($0) && $0.firstMatch(of: pattern) != nil }
            guard !found.isEmpty else { throw CommandFailure(.unavailable, "no topic matches \(name)") }
            names.formUnion(found)
        }
        return names.sorted()
    }

    /// Notes what is missing at the beginning.
    /// - Throws: no record is in the range, and why.
    static func judged(_ ranges: [PartitionRange], _ from: RangeBound, _ to: RangeBound) throws(CommandFailure) -> Plan {
        var plan = Plan(ranges: ranges)
        if case .offset(let offset) = from {
            for range in ranges where offset < range.kept.lowerBound {
                plan.notes.append(
                    "\(range.partition): the records before offset \(range.kept.lowerBound) are not kept any more, so the range begins there"
                )
            }
        } else if case .time = from {
            let cut = ranges.filter { $0.kept.lowerBound > 0 && $0.range.lowerBound == $0.kept.lowerBound && !$0.range.isEmpty }
            for range in cut {
                plan.notes.append(
                    "\(range.partition): the range begins with the oldest record that is kept (offset \(range.kept.lowerBound)); earlier ones of it may have been removed"
                )
            }
        }
        guard ranges.contains(where: { !$0.range.isEmpty }) else {
            let kept = ranges.filter { !$0.kept.isEmpty }
            guard !kept.isEmpty else { throw CommandFailure(.usage, "the topics have no records: " + names(of: ranges)) }
            let offsets = kept.prefix(5).map { "\($0.partition) \($0.kept.lowerBound) to \($0.kept.upperBound - 1)" }.joined(
                separator: ", ")
            throw CommandFailure(.usage, "no record lies in the range; the records that are kept have the offsets \(offsets)")
        }
        return plan
    }

    private static func names(of ranges: [PartitionRange]) -> String {
        Set(ranges.map(\.partition.topic)).sorted().joined(separator: ", ")
    }

    /// Whether a record belongs to the range: the offsets of a range by time are the first of those at it or after it, and later ones may
    /// be older.
    package func contains(_ record: KafkaRecord) -> Bool {
        if case .time(let time) = from, let stamp = record.timestamp, stamp < time { return false }
        if case .time(let time) = to, let stamp = record.timestamp, stamp >= time { return false }
        return true
    }

    package func reader(within limit: Duration) throws(CommandFailure) -> RangeReader {
        do throws(KafkaError) {
            return try RangeReader(brokers: brokers, group: kafka.group, properties: properties, within: limit)
        } catch {
            throw CommandFailure(.configuration, "kafka.properties: \(error.message)")
        }
    }
}

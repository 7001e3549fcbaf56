import Foundation
import Linux
import Testing

@testable import Kafka

/// Runs a blocking test body on a thread of its own, so that tests waiting for a group to form wait side by side.
func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Foundation.Thread { continuation.resume(with: Swift.Result { try body() }) }.start()
    }
}

struct TimedOut: Error, CustomStringConvertible {
    var description: String
}

/// Waits until one of the descriptors is readable; nothing else tells that there is something to poll.
func awaitReadable(_ descriptors: [Int32], until deadline: ContinuousClock.Instant) throws -> Bool {
    let poller = try Poller()
    for descriptor in descriptors { try poller.add(descriptor, .readable, token: 0) }
    return try poller.wait(milliseconds: (deadline - .now).wholeMilliseconds) > 0
}

/// A consumer with everything it told so far.
final class Reader {
    let consumer: Consumer
    var limits = PollLimits(records: 500, bytes: 1 << 20)
    private(set) var records: [KafkaRecord] = []
    private(set) var events: [ConsumerEvent] = []
    private(set) var polls: [ConsumerPoll] = []
    private(set) var assigned: Set<TopicPartition> = []
    /// Whether `.revoking` is answered at once.
    var releases = true

    init(_ configuration: ConsumerConfiguration) throws { consumer = try Consumer(configuration) }

    /// Polls until there is nothing more at the moment.
    func drain() throws {
        var more = true
        while more {
            let poll = consumer.poll(limits)
            polls.append(poll)
            records += poll.records
            if let event = poll.event {
                events.append(event)
                switch event {
                case .assigned(let partitions, _): assigned.formUnion(partitions)
                case .lost(let partitions): assigned.subtract(partitions)
                case .revoking(let partitions):
                    assigned.subtract(partitions)
                    if releases { try consumer.release(partitions) }
                default: break
                }
            }
            more = poll.more
        }
    }

    func read(within limit: Duration = .seconds(100), _ what: String, until condition: (Reader) throws -> Bool) throws {
        try Reader.read([self], within: limit, what) { try condition(self) }
    }

    static func read(_ readers: [Reader], within limit: Duration = .seconds(100), _ what: String, until condition: () throws -> Bool) throws
    {
        let deadline = ContinuousClock.now + limit
        while true {
            for reader in readers { try reader.drain() }
            if try condition() { return }
            guard try awaitReadable(readers.map(\.consumer.descriptor), until: deadline) else {
                throw TimedOut(description: "\(what): not within \(limit); events \(readers.map(\.events))")
            }
        }
    }

    func texts(of partition: Int32) -> [String] {
        records.filter { $0.partition == partition }.map { String(decoding: $0.value ?? [], as: UTF8.self) }
    }
    var committed: [CommitResult] { events.flatMap { if case .committed(let results) = $0 { results } else { [CommitResult]() } } }
}

extension MockCluster {
    func configuration(group: String = "readers", topics: [String] = ["events"]) -> ConsumerConfiguration {
        var configuration = ConsumerConfiguration(brokers: brokers, group: group, topics: topics)
        configuration.fetchWait = MockCluster.fetchWait
        configuration.sessionTimeout = .seconds(3)
        configuration.metadataRefresh = .seconds(1)
        configuration.properties.set("statistics.interval.ms", "200")
        configuration.properties.set("reconnect.backoff.max.ms", "500")
        return configuration
    }

    func write(_ records: [OutgoingRecord]) throws {
        try Producer(ProducerConfiguration(brokers: brokers)).write(records, within: .seconds(60))
    }

    func write(_ values: [String], to partition: Int32, of topic: String = "events") throws {
        try write(values.map { OutgoingRecord(topic: topic, partition: partition, value: Array($0.utf8)) })
    }
}

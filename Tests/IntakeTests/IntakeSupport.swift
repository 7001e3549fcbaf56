import Foundation
import Kafka
import Linux
import Logging
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Intake

/// A store that keeps what it is given, de-duplicates as the real one does, and fails on demand.
final class FakeStore: StoreDesk {
    enum Mood: Sendable {
        case up, away, full
        /// Takes orders and answers none, until it is up again.
        case silent
        /// Refuses every request that holds a draft whose id is one of these.
        case refusing(Set<String>)
    }

    struct Key: Hashable {
        var channel: Channel
        var source: String
        var id: String
    }

    private struct State {
        var mood = Mood.up
        var entries: [EntryDraft] = []
        var keys: [Key: Int] = [:]
        var duplicates = 0
        var positions: [String: Int64] = [:]
        var requests = 0
        var waiting: [StoreOrder] = []
        var connections: UInt64 = 1
        var behind = 0
        var saved: (entries: [EntryDraft], keys: [Key: Int], positions: [String: Int64])?
    }
    private let state = Locked(State())

    func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) {}

    var entries: [EntryDraft] { state.withLock { $0.entries } }
    var duplicates: Int { state.withLock { $0.duplicates } }
    var requests: Int { state.withLock { $0.requests } }
    var hasWaiting: Bool { state.withLock { !$0.waiting.isEmpty } }
    func position(_ topic: String, _ partition: Int32) -> Int64? { state.withLock { $0.positions["\(topic)/\(partition)"] } }
    func ids(startingWith prefix: String) -> [String] { entries.map(\.id).filter { $0.hasPrefix(prefix) } }

    func become(_ mood: Mood) {
        let answered = state.withLock { state in
            state.mood = mood
            if case .silent = mood { return [(StoreOrder, StoreReply)]() }
            let orders = state.waiting
            state.waiting = []
            return orders.map { ($0, Self.answer($0, &state)) }
        }
        for (order, reply) in answered { order.client.deliver([StoreOutcome(token: order.token, reply: reply)]) }
    }

    let room = Int.max
    let isUp = true
    var connectionsMade: UInt64 { state.withLock { $0.connections } }
    var timesBehind: Int { state.withLock { $0.behind } }
    func noteDatabaseIsBehind() { state.withLock { $0.behind += 1 } }

    /// A backup of the database.
    func save() { state.withLock { $0.saved = ($0.entries, $0.keys, $0.positions) } }
    /// The database is as the backup has it, and is connected to anew.
    /// - Parameter silently: between two requests, as through a proxy in front of the database.
    func restore(silently: Bool = false) {
        state.withLock { state in
            guard let saved = state.saved else { return }
            (state.entries, state.keys, state.positions) = saved
            if !silently { state.connections += 1 }
        }
    }
    let epoch: Epoch? = nil

    func submit(_ orders: [StoreOrder]) -> Bool {
        let answered: [(StoreOrder, StoreReply)]? = state.withLock { state in
            state.requests += 1
            switch state.mood {
            case .full: return nil
            case .silent:
                state.waiting += orders
                return []
            case .up, .away, .refusing: return orders.map { ($0, Self.answer($0, &state)) }
            }
        }
        guard let answered else { return false }
        for (order, reply) in answered { order.client.deliver([StoreOutcome(token: order.token, reply: reply)]) }
        return true
    }

    private static func answer(_ order: StoreOrder, _ state: inout State) -> StoreReply {
        if case .positions(let partitions) = order.request {
            if case .away = state.mood { return .failed(.unavailable) }
            return .positions(
                partitions.compactMap { partition in
                    state.positions["\(partition.topic)/\(partition.number)"].map {
                        IngestPosition(group: "hub", topic: partition.topic, partition: partition.number, offset: $0)
                    }
                })
        }
        guard case .ingest(let drafts, let positions, _) = order.request else { return .failed(.forbidden) }
        switch state.mood {
        case .away, .full: return .failed(.unavailable)
        case .refusing(let ids) where drafts.contains { ids.contains($0.id) }: return .failed(.refused("invalid byte sequence"))
        case .up, .silent, .refusing: break
        }
        func known(_ position: IngestPosition) -> Int64? { state.positions["\(position.topic)/\(position.partition)"] }
        if positions.contains(where: { $0.after ?? -1 > known($0) ?? -1 }) {
            return .behind(
                positions.compactMap { one in
                    known(one).map { IngestPosition(group: "hub", topic: one.topic, partition: one.partition, offset: $0) }
                })
        }
        for position in positions { state.positions["\(position.topic)/\(position.partition)"] = position.offset }
        return .stored(
            drafts.map { draft in
                let key = Key(channel: draft.channel, source: draft.source, id: draft.id)
                let now = Timestamp(milliseconds: 0)
                if let seq = state.keys[key] {
                    state.duplicates += 1
                    return StoredDraft(seq: Seq(UInt64(seq)), createdAt: now, duplicate: true)
                }
                state.entries.append(draft)
                state.keys[key] = state.entries.count
                return StoredDraft(seq: Seq(UInt64(state.entries.count)), createdAt: now, duplicate: false)
            })
    }
}

/// A broker, a store, and what reads from the one into the other.
struct IntakeBench {
    let cluster: MockCluster
    let store: FakeStore

    init(partitions: Int = 1, store: FakeStore = FakeStore()) throws {
        cluster = try MockCluster()
        try cluster.createTopic("hub.events", partitions: partitions)
        try cluster.createTopic("hub.events.dlq", partitions: 1)
        self.store = store
    }

    /// Another store on the same cluster.
    init(cluster: MockCluster, store: FakeStore) {
        self.cluster = cluster
        self.store = store
    }

    func configuration() -> IntakeConfiguration {
        var configuration = IntakeConfiguration(brokers: cluster.brokers)
        configuration.consumer = consumer(group: "hub", topics: ["hub.events"])
        configuration.consumer.properties.set("statistics.interval.ms", "100")
        configuration.deadLetterProducer.deliveryTimeout = .seconds(1)
        configuration.flow.firstDelay = .milliseconds(10)
        configuration.flow.longestDelay = .milliseconds(100)
        configuration.tick = .milliseconds(50)
        configuration.restartDelay = .milliseconds(100)
        return configuration
    }

    func consumer(group: String, topics: [String]) -> ConsumerConfiguration {
        var configuration = ConsumerConfiguration(brokers: cluster.brokers, group: group, topics: topics)
        configuration.fetchWait = MockCluster.fetchWait
        configuration.sessionTimeout = .seconds(3)
        configuration.metadataRefresh = .seconds(1)
        configuration.properties.set("reconnect.backoff.max.ms", "500")
        return configuration
    }

    func intake(_ change: (inout IntakeConfiguration) -> Void = { _ in }) throws -> Intake {
        var configuration = configuration()
        change(&configuration)
        return try intake(configuration, store)
    }

    func intake(_ configuration: IntakeConfiguration, _ store: any StoreDesk) throws -> Intake {
        try Intake(configuration, store: store, log: Logger(label: "intake") { _ in SwiftLogNoOpLogHandler() })
    }

    func write(_ records: [OutgoingRecord]) async throws {
        let brokers = cluster.brokers
        try await offPool { try Producer(ProducerConfiguration(brokers: brokers)).write(records, within: .seconds(60)) }
    }

    func write(_ ids: [String], to partition: Int32 = 0) async throws { try await write(ids.map { event($0, partition: partition) }) }

    func event(_ id: String, partition: Int32 = 0) -> OutgoingRecord {
        let json = #"{"id":"\#(id)","type":"test.happened","to":["broadcast:system"],"title":"T"}"#
        return OutgoingRecord(topic: "hub.events", partition: partition, key: Array(id.utf8), value: Array(json.utf8))
    }

    /// What a new member of a group reads from a topic within the time it takes to see `count` records.
    func read(_ topic: String, count: Int, group: String = "readers") async throws -> [KafkaRecord] {
        let configuration = consumer(group: group, topics: [topic])
        return try await offPool {
            let consumer = try Consumer(configuration)
            var records: [KafkaRecord] = []
            let deadline = ContinuousClock.now + .seconds(100)
            let poller = try Poller()
            try poller.add(consumer.descriptor, .readable, token: 0)
            while records.count < count, ContinuousClock.now < deadline {
                _ = try poller.wait(milliseconds: 100)
                records += consumer.poll(PollLimits(records: 100, bytes: 1 << 20)).records
            }
            consumer.close(within: .seconds(5))
            return records
        }
    }

    func deadLetters(_ count: Int) async throws -> [KafkaRecord] { try await read("hub.events.dlq", count: count) }
}

/// A store whose caller does not come back until it is released.
final class HangingDesk: StoreDesk {
    let isUp = true
    let connectionsMade: UInt64 = 1
    func noteDatabaseIsBehind() {}
    let epoch: Epoch? = nil
    var room: Int { 100 }
    private let state = Locked((hangs: false, isReleased: false))

    var hangs: Bool { state.withLock { $0.hangs } }
    func release() { state.withLock { $0.isReleased = true } }
    func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) {}

    func submit(_ orders: [StoreOrder]) -> Bool {
        state.withLock { $0.hangs = true }
        while !state.withLock({ $0.isReleased }) { Thread.pause(.milliseconds(5)) }
        return false
    }
}

extension Intake {
    func stopped(within limit: Duration = .seconds(10)) async throws {
        stop(within: limit)
        let hasEnded = try await offPool { self.join(within: limit + .seconds(10)) }
        #expect(hasEnded)
    }
}

extension KafkaRecord {
    func header(_ name: String) -> String? { headers.last { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) } }
}

/// Runs what blocks on a thread of its own.
func offPool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        Foundation.Thread { continuation.resume(with: Swift.Result { try body() }) }.start()
    }
}

struct NeverHappened: Error, CustomStringConvertible {
    var description: String
}

/// Looks every few milliseconds, so that a test takes no longer than what it waits for.
func eventually(_ what: String, within limit: Duration = .seconds(100), _ condition: @escaping @Sendable () -> Bool) async throws {
    try await offPool {
        let pause = try Poller()
        let deadline = ContinuousClock.now + limit
        while !condition() {
            guard ContinuousClock.now < deadline else { throw NeverHappened(description: "\(what): not within \(limit)") }
            _ = try pause.wait(milliseconds: 5)
        }
    }
}

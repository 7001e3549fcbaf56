import Bus
import HangGuard
import Kafka
import Linux
import Logging
import Messaging
import Redis
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import BusEngines

/// The server of an engine, with the settings of hubs that use it.
enum EngineUnderTest: CaseIterable, CustomTestStringConvertible {
    case kafka, redis
    var testDescription: String { self == .kafka ? "Kafka" : "Redis" }
}

/// What a hub's loops hear.
private final class Ear: BusListener {
    private let events = Locked<[BusEvent]>([])
    private let missed = Atomic<Int>(0)
    var heard: [BusEvent] { events.withLock { $0 } }
    var entries: [UInt64] {
        heard.flatMap { event -> [UInt64] in if case .entries(let entries) = event { entries.map(\.seq.rawValue) } else { [] } }
    }
    func hear(_ events: [BusEvent]) { self.events.withLock { $0 += events } }
    func missedEvents() { missed.add(1, ordering: .relaxed) }
}

@Suite("Hubs that hear each other over an engine", .guarded)
struct EngineBusTests {
    /// A hub as the bus sees it.
    private final class Node: Sendable {
        let bus: EngineBus
        let ear = Ear()
        let epoch: Atomic<UInt32>
        let looks = Atomic<Int>(0)

        init(_ settings: EngineSettings, epoch: UInt32 = 7, hasOthers: Bool = true) throws {
            bus = try EngineBus(settings, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            self.epoch = Atomic(epoch)
            bus.subscribe(ear)
            try bus.start(
                EngineBus.Surroundings(
                    epoch: { [unowned self] in Epoch(rawValue: self.epoch.load(ordering: .relaxed)) }, hasOthers: { hasOthers },
                    look: { [unowned self] in looks.add(1, ordering: .relaxed) }))
        }

        func stop() { #expect(bus.stop(within: .seconds(20))) }
    }

    /// Keeps the servers while the body runs.
    private func with(_ engine: EngineUnderTest, _ body: (EngineSettings) async throws -> Void) async throws {
        switch engine {
        case .kafka:
            let cluster = try MockCluster()
            try cluster.createTopic("hub.bus", partitions: 4)
            try await body(
                .kafka(
                    KafkaBusSettings(
                        brokers: cluster.brokers, topic: "hub.bus", group: "hub", fetchWait: MockCluster.fetchWait,
                        properties: ClientProperties([]))))
            withExtendedLifetime(cluster) {}
        case .redis:
            let server = try RedisServer()
            try await body(.redis(RedisBusSettings(address: try RedisAddress(server.url), name: "hub.bus")))
            withExtendedLifetime(server) {}
        }
    }

    private func entries(_ channel: Channel, _ seqs: ClosedRange<UInt64>) -> BusEvent {
        .entries(seqs.map { Entry(seq: Seq($0), createdAt: Timestamp(milliseconds: 0), draft: draft(channel, "e\($0)")) })
    }

    @Test("what one hub commits the other hears, and itself once", arguments: EngineUnderTest.allCases)
    func crossing(_ engine: EngineUnderTest) async throws {
        try await with(engine) { settings in
            let (left, right) = (try Node(settings), try Node(settings))
            try await until { left.bus.health == .up && right.bus.health == .up }
            let ann = try user("ann")
            let events: [BusEvent] = [
                entries(.inbox(ann), 1...3), .active(.broadcast("system"), members: [ann]), .withdrawn(.broadcast("system"), from: ann),
                .hidingChanged(.broadcast("system"), of: ann), .opened(ChannelState(channel: .broadcast("system")), by: ann),
                .moved(MovedCursor(ann, ChannelState(channel: .inbox(ann), cursorVersion: 4), isProgress: true, session: "s")),
            ]
            left.bus.publish(committed: events)
            left.bus.publish(signals: [.typing(.broadcast("system"), ann, hiddenFrom: [])])
            try await until { right.ear.heard.count == 7 }
            #expect(left.ear.heard == events + [.signal(.typing(.broadcast("system"), ann, hiddenFrom: []))])
            for event in left.ear.heard { #expect(right.ear.heard.contains(event)) }
            // What came over the bus is found in the journal, and not told again.
            right.bus.publish(found: [.movedElsewhere(ann, .inbox(ann), version: 4)])
            right.bus.publish(found: [.movedElsewhere(ann, .inbox(ann), version: 5)])
            #expect(right.ear.heard.last == .movedElsewhere(ann, .inbox(ann), version: 5))
            #expect(right.ear.heard.count == 8)
            #expect(right.bus.statistics.received.value > 0 && right.bus.statistics.refused.value == 0)
            left.stop()
            right.stop()
        }
    }

    @Test("the order of a channel is kept", arguments: EngineUnderTest.allCases)
    func order(_ engine: EngineUnderTest) async throws {
        try await with(engine) { settings in
            let (left, right) = (try Node(settings), try Node(settings))
            try await until { left.bus.health == .up && right.bus.health == .up }
            for seq in 1...500 { left.bus.publish(committed: [entries(.broadcast("system"), UInt64(seq)...UInt64(seq))]) }
            try await until { right.ear.entries.count == 500 }
            #expect(right.ear.entries == Array(1...500))
            #expect(right.bus.statistics.gaps.value == 0)
            left.stop()
            right.stop()
        }
    }

    @Test("hubs on other databases, and other histories of this one, are not heard", arguments: EngineUnderTest.allCases)
    func otherDatabases(_ engine: EngineUnderTest) async throws {
        try await with(engine) { settings in
            let (left, right, other) = (try Node(settings), try Node(settings), try Node(settings, epoch: 8))
            try await until { left.bus.health == .up && right.bus.health == .up && other.bus.health == .up }
            other.bus.publish(committed: [entries(.broadcast("system"), 1...1)])
            left.bus.publish(committed: [entries(.broadcast("system"), 2...2)])
            try await until { right.ear.entries == [2] && right.bus.statistics.refused.value > 0 }
            // The database was restored: what was sent under the old history is not for the new one.
            right.epoch.store(9, ordering: .relaxed)
            left.bus.publish(committed: [entries(.broadcast("system"), 3...3)])
            let refused = right.bus.statistics.refused.value
            try await until { right.bus.statistics.refused.value > refused }
            #expect(right.ear.entries == [2] && other.ear.entries == [1])
            for node in [left, right, other] { node.stop() }
        }
    }

    @Test("a hub that is alone sends nothing but pings", arguments: EngineUnderTest.allCases)
    func alone(_ engine: EngineUnderTest) async throws {
        try await with(engine) { settings in
            let (left, right) = (try Node(settings, hasOthers: false), try Node(settings))
            try await until { left.bus.health == .up && right.bus.health == .up }
            left.bus.publish(committed: [entries(.broadcast("system"), 1...1)])
            right.bus.publish(committed: [entries(.broadcast("system"), 2...2)])
            try await until { left.ear.entries == [1, 2] }
            #expect(right.ear.entries == [2])
            left.stop()
            right.stop()
        }
    }

    @Test("an engine that is away is told, and heard again when it is back")
    func away() async throws {
        let server = try RedisServer()
        let node = try Node(.redis(RedisBusSettings(address: try RedisAddress(server.url), name: "hub.bus")))
        try await until { node.bus.health == .up }
        #expect(node.bus.statistics.up.value == 1)
        let looks = node.looks.load(ordering: .relaxed)
        try server.kill()
        try await until { node.bus.health != .up }
        #expect(node.bus.statistics.up.value == 0)
        node.bus.publish(committed: [entries(.broadcast("system"), 1...1)])
        #expect(node.ear.entries == [1])
        try await until { node.bus.statistics.dropped.value > 0 }
        try server.start()
        try await until { node.bus.health == .up }
        // What it has missed is in the journal.
        #expect(node.looks.load(ordering: .relaxed) > looks)
        node.stop()
    }

    @Test("a password that is wrong is the reason of the health")
    func refused() async throws {
        let server = try RedisServer("--requirepass secret")
        let node = try Node(.redis(RedisBusSettings(address: try RedisAddress("redis://:wrong@127.0.0.1:\(server.port)"), name: "hub.bus")))
        try await until { if case .degraded(let reason) = node.bus.health { reason.contains("WRONGPASS") } else { false } }
        node.stop()
        let settings = EngineSettings.redis(RedisBusSettings(address: try RedisAddress(server.url), name: "hub.bus"))
        guard case .failed(let reason) = BusCheck.run(settings, within: .seconds(5)) else {
            throw RedisServer.Failure(description: "the check finds nothing")
        }
        #expect(reason.contains("NOAUTH"))
    }

    @Test("an account of Redis that must not ask for the version is enough")
    func account() async throws {
        let server = try RedisServer("--user hub on '>word' resetchannels '&hub.bus.*' -@all +publish +subscribe")
        let node = try Node(
            .redis(RedisBusSettings(address: try RedisAddress("redis://hub:word@127.0.0.1:\(server.port)"), name: "hub.bus")))
        try await until { node.bus.health == .up }
        node.stop()
    }

    @Test("what is no packet is counted, and harms nothing")
    func noise() async throws {
        let server = try RedisServer()
        let node = try Node(.redis(RedisBusSettings(address: try RedisAddress(server.url), name: "hub.bus")))
        try await until { node.bus.health == .up }
        try server.tell("publish hub.bus.3 nonsense")
        try await until { node.bus.statistics.refused.value == 1 }
        #expect(node.bus.health == .up)
        node.stop()
    }

    @Test("a check hears its own message", arguments: EngineUnderTest.allCases)
    func check(_ engine: EngineUnderTest) async throws {
        try await with(engine) { settings in #expect(BusCheck.run(settings, within: .seconds(20)) == .heard) }
    }
}

import Dialect
import Linux
public import Report

/// A mixed load for a long time: entries to all clients and to single inboxes, and users who write to each other. From time to time
/// all listeners are disconnected. The server's memory, descriptors and threads are read throughout, and must not keep growing.
public struct Soak {
    /// The listeners, `common.generator.clients` of them, follow a broadcast and their own inbox.
    public var common = Scenario()
    /// Entries per second to all clients, and to one inbox after the other.
    public var rate = 5.0
    public var inboxRate = 20.0
    public var bytes = 300
    /// Users who write to each other in pairs, and messages per second over all of them.
    public var talkers = 100
    public var messageRate = 20.0
    /// Seconds between two disconnections of all listeners; 0: none.
    public var cutEvery = 60.0
    /// Entries published to all listeners while they are disconnected.
    public var missed = 5
    public init() {}

    /// Seat numbers of the talkers start above this, so that they are other users than the listeners.
    private static let talkersFrom = 10_000_000

    public func run(_ server: Server) throws -> ScenarioResult {
        guard let signer = server.signer else {
            throw LoadFailure("without the hub's signing key there are no sessions: give its --data folder")
        }
        var result = common.result(
            "soak", server, "delivery",
            [
                Parameter("bytes", bytes), Parameter("rate", "\(rate)/s"), Parameter("to inboxes", "\(inboxRate)/s"),
                Parameter("talkers", talkers), Parameter("messages", "\(messageRate)/s"), Parameter("cut every", "\(cutEvery) s"),
            ])
        let listeners = try Conductor(server, common.generator)
        try listeners.hire(.hear(Hearing(dialect: .hub, followsInbox: true, followsNumbers: true)), role: .subscriber)
        _ = try listeners.connect()
        let people = try startTalking(server)
        let watch = Watch(server, every: max(common.seconds / 400, 0.25), from: MonotonicInstant.now.nanoseconds)
        listeners.pulse = {
            try people?.attend()
            try watch.read(isWhole: listeners.openSockets == common.generator.clients)
            return MonotonicInstant.now.nanoseconds + 20_000_000
        }
        defer { listeners.pulse = nil }
        var feed = Feed(try KafkaPublisher(server, bytes: bytes), listeners, users: signer.userPrefix, clients: common.generator.clients)
        // Publish before measuring: the first records of a topic take seconds.
        try feed.publishToAll(3, mark: Scenario.mark(listeners), watch)
        try listeners.wait(within: .seconds(30), for: "the first entries") { listeners.totalEvents >= feed.deliveries }
        let warm = feed.takeDeliveries()
        var all = Findings()
        var cuts: Int64 = 0
        try common.measured(server, &result) {
            let end = MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9)
            try listeners.begin()
            while MonotonicInstant.now.nanoseconds < end {
                let from = MonotonicInstant.now.nanoseconds
                let until = min(end, cutEvery > 0 ? from + Int64(cutEvery * 1e9) : end)
                try feed.publish(rate, inboxRate, until: until, watch)
                let findings = try listeners.finish(expected: feed.perSeat, within: 60)
                try checkNothingLost(findings, feed.takeDeliveries())
                let seconds = all.seconds + findings.seconds
                all.merge(findings)
                all.seconds = seconds
                guard MonotonicInstant.now.nanoseconds < end else { break }
                try listeners.cut()
                cuts += 1
                // These marks predate the measured part: the time that the listeners were disconnected is not latency of the hub.
                let mark = Scenario.mark(listeners)
                try listeners.begin()
                try feed.publishToAll(missed, mark: mark, watch)
                _ = try listeners.connect(.reopen)
            }
        }
        result.operations = feed.deliveries - warm
        if let people {
            listeners.pulse = nil
            let found = try people.finish(within: 60)
            try Messages().check(found, server)
            // The talkers' workers ran at the same time as the listeners' and on the same processor.
            all.merge(found)
        }
        common.add(all, to: &result)
        result.counts.append(Count("cuts of all lines", cuts))
        result.timelines += [listeners.timeline("deliveries")]
        try watch.conclude(&result)
        return result
    }

    private func startTalking(_ server: Server) throws -> Conductor? {
        guard talkers > 0 else { return nil }
        var options = common.generator
        options.clients = talkers
        options.workers = 1
        options.isQuiet = true
        let people = try Conductor(server, options)
        try people.hire(.talk(Talking(rate: messageRate * 2 / Double(talkers))), role: .subscriber, pairs: true) {
            $0.firstSeat += Self.talkersFrom
        }
        _ = try people.connect()
        try people.begin()
        return people
    }
}

/// Publishes to all clients and to one inbox after the other, and counts how many entries each listener must have.
private struct Feed {
    private let publisher: KafkaPublisher
    private let conductor: Conductor
    private let users: String
    private let clients: Int
    private let body = String(repeating: "x", count: 100)
    private var toAll: Int64 = 0
    private var toInboxes: Int64 = 0
    private var taken: Int64 = 0

    init(_ publisher: KafkaPublisher, _ conductor: Conductor, users: String, clients: Int) {
        (self.publisher, self.conductor, self.users, self.clients) = (publisher, conductor, users, clients)
    }

    /// Deliveries that each seat must have. Exact only after a complete round of the inboxes.
    var perSeat: Int64 { toAll + toInboxes / Int64(clients) }
    var deliveries: Int64 { toAll * Int64(clients) + toInboxes }

    /// The deliveries since the last call.
    mutating func takeDeliveries() -> Int64 {
        defer { taken = deliveries }
        return deliveries - taken
    }

    mutating func publishToAll(_ count: Int, mark: Int64, _ watch: Watch) throws {
        try publisher.publish(count, mark: mark)
        toAll += Int64(count)
        watch.publishedBytes += Int64(count) * Self.recordBytes
    }

    private mutating func inbox(mark: Int64, _ watch: Watch) throws {
        try publisher.publish(to: users + String(toInboxes % Int64(clients)), mark: mark, body: body)
        toInboxes += 1
        watch.publishedBytes += Self.recordBytes
    }

    /// The approximate memory that a broker inside the hub needs for a record.
    private static let recordBytes: Int64 = 500

    /// Publishes entries of both kinds on schedule, then completes the round of the inboxes.
    mutating func publish(_ rate: Double, _ inboxRate: Double, until: Int64, _ watch: Watch) throws {
        let from = MonotonicInstant.now.nanoseconds
        var (all, inboxes) = (0.0, 0.0)
        while true {
            let nextAll = from + Int64(all * 1e9 / rate)
            let nextInbox = inboxRate > 0 ? from + Int64(inboxes * 1e9 / inboxRate) : Int64.max
            let next = min(nextAll, nextInbox)
            guard next < until else { break }
            try conductor.turn(until: next, "soak")
            if next == nextAll {
                try publishToAll(1, mark: next - conductor.epoch, watch)
                all += 1
            } else {
                try inbox(mark: next - conductor.epoch, watch)
                inboxes += 1
            }
        }
        try conductor.turn(until: until, "soak")
        while toInboxes % Int64(clients) != 0 { try inbox(mark: Scenario.mark(conductor), watch) }
    }
}

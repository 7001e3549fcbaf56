import Dialect
import Linux
public import Report

/// Several hubs on one database: what a delivery costs, how long an entry takes to another hub's clients, and what happens to the clients
/// when a hub is killed or stands still.
public struct Cluster {
    public var common = Scenario()
    /// Sessions of each hub.
    public var sessions = 1_000
    public init() {}

    public enum Fault: String, Sendable {
        /// SIGKILL. Its clients go to the other hubs.
        case kill
        /// SIGSTOP for 20 seconds, then SIGCONT. Its connections stay open meanwhile.
        case freeze
    }

    private static let untilFault = 3.0
    private static let frozenSeconds = 20.0
    private static let afterFault = 20.0
    private static let afterThaw = 20.0
    /// Kafka's session timeout is ten seconds, and the embedded broker takes up to half a minute to divide the partitions anew.
    private static let patience = 90.0

    // MARK: The cost of a delivery

    /// A broadcast to all sessions of all hubs, one entry after the other.
    public func cost(_ choice: ServerChoice, nodes: Int, entries: Int) throws -> ScenarioResult {
        let hubs = try Hubs(choice, count: nodes, storing: 1)
        defer { hubs.stop() }
        var many = Many(hubs: nodes)
        many.common = common
        many.common.generator.clients = sessions * nodes
        many.common.seconds = 1
        many.entries = entries
        many.services = hubs.services
        var result = try many.run(hubs.nodes)
        result.scenario = "cluster, cost"
        let spent = result.serverTotal.totalSeconds
        result.figures.append(Figure(Self.perSecond, Double(result.operations) / max(spent, 1e-9), "1/s"))
        return result
    }

    public static let perSecond = "deliveries per second of the hubs' processor time"

    // MARK: From one hub to another

    /// The first hub stores all events; half of them are for its own clients, half for those of the second one.
    public func crossing(_ choice: ServerChoice, rate: Double) throws -> ScenarioResult {
        let hubs = try Hubs(choice, count: 2, storing: 1)
        defer { hubs.stop() }
        var result = common.result(
            "cluster, crossing", hubs.nodes[0], "event", [Parameter("hubs", 2), Parameter("rate", "\(Int(rate))/s")])
        let inboxes = try Inboxes(hubs, common, sessions: sessions, canMove: false)
        try inboxes.warm(within: Self.patience)
        var findings: [Findings] = []
        try common.measured(hubs.nodes, services: hubs.services, &result) {
            try inboxes.publish(rate: rate, seconds: common.seconds)
            findings = try inboxes.finish(within: 30)
        }
        result.operations = inboxes.measured
        try Self.add(findings, ["on the hub that stored it", "on the other hub"], common, inboxes, to: &result)
        return result
    }

    // MARK: Faults

    public func fault(_ fault: Fault, _ choice: ServerChoice, nodes: Int, rate: Double) throws -> ScenarioResult {
        let hubs = try Hubs(choice, count: nodes, storing: nodes)
        defer { hubs.stop() }
        var result = common.result(
            "cluster, \(fault.rawValue)", hubs.nodes[0], "event", [Parameter("hubs", nodes), Parameter("rate", "\(Int(rate))/s")])
        let inboxes = try Inboxes(hubs, common, sessions: sessions, canMove: true)
        try inboxes.warm(within: Self.patience)
        let begun = MonotonicInstant.now
        try inboxes.publish(rate: rate, seconds: Self.untilFault)
        switch fault {
        case .kill:
            try hubs.nodes[0].signal("KILL")
            try inboxes.publish(rate: rate, seconds: Self.afterFault)
        case .freeze:
            try hubs.nodes[0].signal("STOP")
            try inboxes.publish(rate: rate, seconds: Self.frozenSeconds)
            try hubs.nodes[0].signal("CONT")
            let (due, thawed) = (inboxes.published(for: 0), MonotonicInstant.now)
            var caughtUp: Double?
            try inboxes.publish(rate: rate, seconds: Self.afterThaw) {
                if caughtUp == nil, inboxes.received(by: 0) >= due { caughtUp = (MonotonicInstant.now - thawed).seconds }
            }
            result.figures.append(
                Figure("after it goes on, until its clients have what was published meanwhile", caughtUp ?? Self.afterThaw, "s"))
        }
        let findings = try inboxes.finish(within: Self.patience)
        result.seconds = (MonotonicInstant.now - begun).seconds
        result.operations = inboxes.measured
        let others = Array(repeating: "to the clients of the other hubs", count: nodes - 1)
        try Self.add(findings, ["to the clients of the hub with the fault"] + others, common, inboxes, to: &result)
        return result
    }

    /// Adds the findings of each hub's clients, with latencies by hub, and fails unless each entry came once to its user and nobody else.
    private static func add(
        _ findings: [Findings], _ names: [String], _ common: Scenario, _ inboxes: Inboxes, to result: inout ScenarioResult
    ) throws {
        var all = Findings()
        for (found, name) in zip(findings, names) {
            var found = found
            found.latencies = Dictionary(uniqueKeysWithValues: found.latencies.map { ("\($0.key), \(name)", $0.value) })
            all.merge(found)
        }
        common.add(all, to: &result)
        for name in ["missing", "more than published", "gaps", "duplicates", "foreign deliveries"] where all.count(name) == 0 {
            if !result.counts.contains(where: { $0.name == name }) { result.counts.append(Count(name, 0)) }
        }
        try checkNothingLost(all, inboxes.measured)
    }
}

/// Events for one inbox after the other, over all hubs.
final class Inboxes {
    private let conductors: [Conductor]
    private let prefixes: [String]
    private let sessions: Int
    private let publisher: KafkaPublisher
    private var number = 0
    private var warmed = 0
    private let start = MonotonicInstant.now.nanoseconds

    init(_ hubs: Hubs, _ common: Scenario, sessions: Int, canMove: Bool) throws {
        self.sessions = sessions
        publisher = try KafkaPublisher(hubs.services, bytes: 300)
        var conductors: [Conductor] = []
        for (index, node) in hubs.nodes.enumerated() {
            var options = common.generator
            options.clients = sessions
            let conductor = try Conductor(node, options)
            try conductor.hire(
                .hear(Hearing(dialect: .hub, channels: ["inbox"], followsNumbers: true, namesUsers: true)), role: .subscriber
            ) { plan in
                plan.door.firstSource = 2 + index % 20 * 10
                if canMove { plan.otherPorts = hubs.nodes.map(\.port) }
            }
            conductors.append(conductor)
        }
        self.conductors = conductors
        prefixes = try hubs.nodes.map { node in
            guard let prefix = node.signer?.userPrefix else { throw LoadFailure("a hub without a signing key") }
            return prefix
        }
        // Whichever waits, the reports of all workers are read: a worker whose reports nobody reads ends.
        for (index, conductor) in conductors.enumerated() {
            conductor.pulse = { [weak self] in
                for (other, conductor) in (self?.conductors ?? []).enumerated() where other != index { try conductor.attend() }
                return MonotonicInstant.now.nanoseconds + 20_000_000
            }
        }
        for conductor in conductors { _ = try conductor.connect() }
    }

    private var leader: Conductor { conductors[conductors.count - 1] }
    private var unit: Int { conductors.count * sessions }
    /// Events of the measured part.
    var measured: Int64 { Int64(number - warmed) }
    func published(for node: Int) -> Int64 { Int64((number - node + conductors.count - 1) / conductors.count) }
    func received(by node: Int) -> Int64 { conductors[node].totalEvents }

    private func publish(intended: Int64) throws {
        let node = number % conductors.count
        let user = prefixes[node] + String(number / conductors.count % sessions)
        let body = "for \(user)." + String(repeating: "x", count: 60)
        try publisher.publish(to: user, mark: intended - conductors[node].epoch, body: body)
        number += 1
    }

    /// One entry for each inbox. The first come when the hubs have been given their partitions.
    func warm(within limit: Double) throws {
        for _ in 0..<unit { try publish(intended: MonotonicInstant.now.nanoseconds) }
        warmed = number
        try leader.wait(within: .seconds(Int(limit)), for: "the first entry of each inbox") {
            conductors.reduce(0) { $0 + $1.totalEvents } >= Int64(number)
        }
        for conductor in conductors { try conductor.begin() }
    }

    func publish(rate: Double, seconds: Double, meanwhile: () -> Void = {}) throws {
        let begun = MonotonicInstant.now.nanoseconds
        var sent = 0
        while MonotonicInstant.now.nanoseconds < begun + Int64(seconds * 1e9) {
            let intended = begun + Int64(Double(sent) * 1e9 / rate)
            try leader.turn(until: intended, "cluster")
            try publish(intended: intended)
            sent += 1
            meanwhile()
        }
    }

    /// Completes the round, so that each inbox has as many entries, and waits until all have come.
    func finish(within limit: Double) throws -> [Findings] {
        while number % unit != 0 {
            try leader.turn(until: MonotonicInstant.now.nanoseconds + 200_000, "cluster")
            try publish(intended: MonotonicInstant.now.nanoseconds)
        }
        try publisher.flush()
        let expected = Int64(number / unit)
        var findings: [Findings] = []
        for conductor in conductors { findings.append(try conductor.finish(expected: expected, within: limit)) }
        return findings
    }
}

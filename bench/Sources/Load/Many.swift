import Dialect
import Linux
public import Report

/// More sessions than one process may open descriptors for: several hubs, each with its own database, broker and generator.
/// All sessions stay open while every hub delivers entries to all its sessions. Every delivery is counted.
public struct Many {
    public var common = Scenario()
    /// Hub processes; see `hubs(for:)`.
    public var hubs: Int
    /// Entries that are published to all sessions, one after the other.
    public var entries = 5
    public var bytes = 300
    /// The hub whose database and broker all hubs share; nil: each has its own. With shared ones an entry is published once.
    public var services: Server?

    public init(hubs: Int) { self.hubs = hubs }

    /// The least number of hubs that the descriptor limit of a process allows.
    public static func hubs(for sessions: Int) -> Int {
        let most = min(GeneratorOptions.mostSeatsPerWorker, Linux.Machine.descriptorLimit - 1_000)
        return max((sessions + most - 1) / most, 1)
    }

    public func run(_ servers: [Server]) throws -> ScenarioResult {
        let sessions = common.generator.clients
        guard let first = servers.first, servers.count == hubs else { throw LoadFailure("\(hubs) hubs were to run") }
        guard sessions >= hubs else { throw LoadFailure("\(sessions) sessions on \(hubs) hubs: give more --sessions, or fewer --hubs") }
        let pids = servers.flatMap(\.pids)
        var result = common.result("many", first, "delivery", [Parameter("hubs", hubs), Parameter("bytes", bytes)])
        var conductors: [Conductor] = []
        var publishers: [KafkaPublisher] = []
        for (index, server) in servers.enumerated() {
            var options = common.generator
            options.clients = sessions * (index + 1) / hubs - sessions * index / hubs
            let conductor = try Conductor(server, options)
            // While one conductor waits, the others also have to read: their workers keep writing, and would block on full sockets.
            conductor.pulse = { [others = conductors] in
                for other in others { try other.attend() }
                return MonotonicInstant.now.nanoseconds + 20_000_000
            }
            conductors.append(conductor)
            if services == nil || index == 0 { publishers.append(try KafkaPublisher(server, bytes: bytes)) }
        }
        guard let leader = conductors.last else { return result }
        let before = ServerMemory(pids)
        result.memory.append(Self.point(before, 0))
        try connect(conductors, pids, &result)
        // Meanwhile the hubs release the memory that only connecting needed, and pings are exchanged.
        try leader.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9), "resting")
        let after = ServerMemory(pids)
        result.memory.append(Self.point(after, sessions))
        tell(before, after, sessions, &result)

        var published: Int64 = 0
        var longest: Double = 0
        func entry() throws {
            let start = MonotonicInstant.now
            for (conductor, publisher) in zip(conductors, publishers) { try publisher.publish(1, mark: Scenario.mark(conductor)) }
            published += 1
            try leader.wait(within: .seconds(30) + .milliseconds(sessions), for: "\(sessions) sessions to have entry \(published)") {
                conductors.allSatisfy { $0.rounds.allSatisfy { $0 >= published } }
            }
            longest = max(longest, (MonotonicInstant.now - start).seconds)
        }
        // The first entry finds cold caches and is not measured.
        try entry()
        for conductor in conductors { try conductor.begin() }
        longest = 0
        try common.measured(servers, services: services, &result) { for _ in 0..<entries { try entry() } }
        result.operations = Int64(entries) * Int64(sessions)
        result.figures.append(Figure("from publishing until the last of all sessions has it, longest", longest, "s"))
        result.memory.append(Self.point(ServerMemory(pids), sessions))
        var findings = Findings()
        for conductor in conductors { findings.merge(try conductor.finish(expected: published)) }
        common.add(findings, to: &result)
        try checkNothingLost(findings, result.operations)
        let open = conductors.reduce(0) { $0 + $1.openSockets }
        guard open == sessions else { throw LoadFailure("\(sessions - open) of \(sessions) sessions were lost on the way") }
        result.counts.append(Count("sessions open at the end", Int64(open)))
        return result
    }

    /// Connects one hub's sessions after another, and reads the memory after each.
    private func connect(_ conductors: [Conductor], _ pids: [Int32], _ result: inout ScenarioResult) throws {
        let start = MonotonicInstant.now
        var connecting = 0.0
        var open = 0
        for (index, conductor) in conductors.enumerated() {
            try conductor.hire(.hear(Hearing(dialect: .hub, announcesEvery: 1, followsNumbers: true)), role: .subscriber) { plan in
                // Each worker has its own source address, so that ports do not run out.
                plan.door.firstSource = 2 + index % 20 * 10 + plan.firstSeat / GeneratorOptions.mostSeatsPerWorker * 2
            }
            connecting += try conductor.connect().seconds
            open += conductor.options.clients
            if index < conductors.count - 1 { result.memory.append(Self.point(ServerMemory(pids), open)) }
        }
        result.figures += [
            Figure("connects per second, one hub at a time", Double(open) / max(connecting, 0.001), "1/s"),
            Figure("until all are connected, tokens made in between", (MonotonicInstant.now - start).seconds, "s"),
        ]
    }

    private func tell(_ before: ServerMemory, _ after: ServerMemory, _ sessions: Int, _ result: inout ScenarioResult) {
        func each(_ difference: Int64) -> Double { Double(difference) / Double(sessions) }
        result.figures += [
            Figure("resident memory of all hubs", Double(after.residentBytes), "B"),
            Figure("proportional memory of all hubs", Double(after.proportionalBytes), "B"),
            Figure("of it before anyone came", Double(before.proportionalBytes), "B"),
            Figure("resident memory per session", each(after.residentBytes - before.residentBytes), "B"),
            Figure("anonymous memory per session", each(after.anonymousBytes - before.anonymousBytes), "B"),
            Figure("proportional memory per session", each(after.proportionalBytes - before.proportionalBytes), "B"),
            Figure("kernel slab per session, both ends", each(after.kernelSlabBytes - before.kernelSlabBytes), "B"),
            Figure("kernel socket buffers per session, both ends", each(after.kernelSocketBytes - before.kernelSocketBytes), "B"),
            Figure("the machine's free memory less than before, per session", each(before.availableBytes - after.availableBytes), "B"),
        ]
        result.notes.append(
            "Kernel and free memory are the whole machine's difference: the clients' ends of the sockets and the generators are in it.")
    }

    private static func point(_ memory: ServerMemory, _ connections: Int) -> MemoryPoint {
        MemoryPoint(
            connections: connections, residentBytes: memory.residentBytes, anonymousBytes: memory.anonymousBytes,
            kernelBytes: memory.kernelSlabBytes + memory.kernelSocketBytes)
    }
}

import Dialect
import Linux
public import Report

/// The memory of an idle session: in the server process, and in the kernel.
public struct Idle {
    public var common = Scenario()
    /// How often memory is read while the clients connect.
    public var steps = 18
    /// The goal for the hub's user-space memory per session, with so many sessions that the steps in which its tables grow are negligible.
    private static let goalBytes = 1_000.0
    private static let judgedClients = 2_000
    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        let clients = common.generator.clients
        let isHub = server.dialect == .hub
        let channels = isHub ? [Dialect.channel, "broadcast:institution:bench"] : [Dialect.channel]
        var result = common.result("idle", server, "session", isHub ? [Parameter("subscriptions", channels.count + 1)] : [])
        let conductor = try Conductor(server, common.generator)
        try conductor.hire(.hear(Hearing(dialect: server.dialect, channels: channels, followsInbox: isHub)), role: .subscriber)
        // RSS and not PSS: PSS is lower when other processes of the same executable share pages.
        let before = ServerMemory(server.pids)
        let group = server.pid.flatMap { ControlGroup(of: $0) }
        let groupBefore = group?.memory
        if let point = common.memory(server, connections: 0) { result.memory.append(point) }
        // `measured` below has exclusive access to `result`, so this goes into another variable.
        var points: [MemoryPoint] = []
        var next = clients / steps
        conductor.pulse = {
            let open = conductor.openSockets
            if open >= next, open < clients, let point = common.memory(server, connections: open) {
                points.append(point)
                next = open + max(clients / steps, 1)
            }
            return MonotonicInstant.now.nanoseconds + 20_000_000
        }
        var findings = Findings()
        try common.measured(server, &result) { findings = try conductor.connect() }
        conductor.pulse = nil
        result.memory += points
        if server.choice.isCompressed, findings.count("compressed") < Int64(clients) { throw LoadFailure("not every client may compress") }
        try conductor.turn(until: MonotonicInstant.now.nanoseconds + 2_000_000_000, "settling")
        let after = ServerMemory(server.pids)
        let groupAfter = group?.memory
        if let point = common.memory(server, connections: clients) { result.memory.append(point) }
        result.operations = Int64(clients)
        common.add(findings, to: &result)
        var rest = ScenarioResult(scenario: "idle", server: "", operation: "")
        try common.measured(server, &rest) {
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9), "idle")
        }
        func each(_ difference: Int64) -> Double { Double(difference) / Double(clients) }
        if server.pid != nil {
            result.figures += [
                Figure("resident memory per session", each(after.residentBytes - before.residentBytes), "B"),
                Figure("anonymous memory per session", each(after.anonymousBytes - before.anonymousBytes), "B"),
                Figure("proportional memory per session", each(after.proportionalBytes - before.proportionalBytes), "B"),
                Figure("processor time while idle", rest.serverTotal.totalSeconds / max(rest.seconds, 0.001) * 100, "%"),
            ]
            let goal: Goal? = isHub && clients >= Self.judgedClients ? .atMost(Self.goalBytes) : nil
            // Later sessions must not cost more than the goal either.
            let halves = [("from the second reading on", result.memory), ("of the second half of them", Self.secondHalf(result.memory))]
            for (name, points) in halves {
                guard let slope = Self.slope(points) else { continue }
                result.figures.append(Figure("resident memory per session, \(name)", slope, "B", goal: goal))
            }
        }
        result.figures += [
            Figure("kernel slab per session, both ends", each(after.kernelSlabBytes - before.kernelSlabBytes), "B"),
            Figure("kernel socket buffers per session, both ends", each(after.kernelSocketBytes - before.kernelSocketBytes), "B"),
        ]
        Self.tell(group, groupBefore, groupAfter, clients, &result)
        result.notes.append("Kernel memory is the whole machine's difference, with the clients' ends of the sockets in it.")
        guard conductor.openSockets == clients else {
            throw LoadFailure("\(clients - conductor.openSockets) clients were lost while nothing happened")
        }
        return result
    }

    /// The second half of the readings, for which `slope` then starts in the middle.
    static func secondHalf(_ points: [MemoryPoint]) -> [MemoryPoint] { Array(points.dropFirst(max(points.count / 2 - 1, 0))) }

    private static func tell(
        _ group: ControlGroup?, _ before: ControlGroup.Memory?, _ after: ControlGroup.Memory?, _ clients: Int,
        _ result: inout ScenarioResult
    ) {
        guard let group, let before, let after else {
            result.notes.append("The memory of the server's control group is not available here.")
            return
        }
        func figure(_ name: String, _ value: (ControlGroup.Memory) -> Int64?) {
            guard let first = value(before), let last = value(after) else { return }
            result.figures.append(Figure("control group, \(name) per session", Double(last - first) / Double(clients), "B"))
        }
        figure("all memory") { $0.currentBytes }
        figure("anonymous memory") { $0.anonymousBytes }
        figure("kernel memory") { $0.kernelBytes }
        result.notes.append(
            "The server's control group holds \(group.processes) processes; memory of all of them is in its figures, the generator's and PostgreSQL's among it where the bench started the server."
        )
    }

    /// Bytes per connection from the second reading to the last, without the allocations that only the first connections cause.
    static func slope(_ points: [MemoryPoint]) -> Double? {
        guard points.count >= 3, let last = points.last, last.connections > points[1].connections else { return nil }
        return Double(last.residentBytes - points[1].residentBytes) / Double(last.connections - points[1].connections)
    }
}

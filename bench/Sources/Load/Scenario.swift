import Dialect
import Linux
import Report

/// The common part of all scenarios: the server's processor time and memory before and after, and the result.
public struct Scenario {
    public var generator = GeneratorOptions()
    public var seconds = 5.0
    /// A worker that uses more than this share of its processor may have been the bottleneck.
    static let busy = 0.9

    public init() {}

    func result(_ name: String, _ server: Server, _ operation: String, _ parameters: [Parameter]) -> ScenarioResult {
        var all = [Parameter("clients", generator.clients)] + parameters
        if server.choice.isCompressed { all.append(Parameter("compression", "permessage-deflate without takeover")) }
        if server.dialect == .hub { all.append(Parameter("token", server.choice.tokenKey.rawValue)) }
        if server.isHub { all.append(Parameter("loops", server.choice.loops)) }
        if generator.spins { all.append(Parameter("readers", "never sleep")) }
        return ScenarioResult(scenario: name, server: server.dialect.title, parameters: all, operation: operation)
    }

    /// The server's processor time while `body` runs.
    func measured(_ server: Server, _ result: inout ScenarioResult, _ body: () throws -> Void) throws {
        try measured([server], &result, body)
    }

    /// Adds the processor time of several servers to the result.
    /// - Parameter services: an embedded hub whose database and broker they use. Its own threads are not counted.
    func measured(_ servers: [Server], services: Server? = nil, _ result: inout ScenarioResult, _ body: () throws -> Void) throws {
        let shared = services.map { ($0, $0.times(), $0.childTimes()) }
        let before = servers.map { $0.times() }
        let children = servers.map { $0.childTimes() }
        let own = Linux.Machine.processorTimes
        let start = MonotonicInstant.now
        try body()
        result.seconds += (MonotonicInstant.now - start).seconds
        let spent = Linux.Machine.processorTimes
        var conductor = result.generatorCPU ?? CPUTime(group: "generator")
        conductor.add(
            CPUTime(group: "conductor", userSeconds: (spent.user - own.user).seconds, systemSeconds: (spent.system - own.system).seconds))
        result.generatorCPU = conductor
        var beside: [CPUTime] = []
        for (index, server) in servers.enumerated() {
            guard server.pid != nil else { continue }
            let times = server.times().spent(since: before[index])
            Self.add(times.filter { $0.group != ProcessTimes.embeddedBroker }, to: &result.serverCPU)
            Self.add(times.filter { $0.group == ProcessTimes.embeddedBroker }, to: &beside)
        }
        if let (server, before, _) = shared {
            Self.add(server.times().spent(since: before).filter { $0.group == ProcessTimes.embeddedBroker }, to: &beside)
        }
        for (server, before) in zip(servers, children) + (shared.map { [($0.0, $0.2)] } ?? []) {
            if let before, let now = server.childTimes() { Self.add(now.spent(since: before), to: &beside) }
        }
        for time in beside {
            let name = "\(time.group), processor time beside the hub's"
            if let index = result.figures.firstIndex(where: { $0.name == name }) {
                result.figures[index].value += time.totalSeconds
            } else {
                result.figures.append(Figure(name, time.totalSeconds, "s"))
            }
        }
    }

    /// Adds the times up by group.
    private static func add(_ times: [CPUTime], to sums: inout [CPUTime]) {
        for time in times {
            if let index = sums.firstIndex(where: { $0.group == time.group }) { sums[index].add(time) } else { sums.append(time) }
        }
    }

    /// Adds the generator's cost to the result: that of the workers, and that of the conductor, which `measured` has determined.
    func add(_ findings: Findings, to result: inout ScenarioResult) {
        result.counts += findings.counts.sorted { $0.key < $1.key }.map { Count($0.key, $0.value) }
        result.latencies += findings.latencies.sorted { $0.key < $1.key }.map { LatencySeries($0.key, $0.value) }
        let conductor = result.generatorCPU ?? CPUTime(group: "generator")
        var all = conductor
        all.add(CPUTime(group: "workers", userSeconds: findings.userSeconds, systemSeconds: findings.systemSeconds))
        result.generatorCPU = all
        if result.operations > 0 {
            func each(_ value: Double) -> Double { value / Double(result.operations) }
            // Readers that never sleep use a whole processor, so their time per operation means nothing.
            if !generator.spins {
                result.figures += [
                    Figure("generator's own cost per \(result.operation)", each(all.totalSeconds * 1e9), "ns"),
                    Figure("of it in user space", each(all.userSeconds * 1e9), "ns"),
                    Figure("of it the conductor's, who publishes and probes", each(conductor.totalSeconds * 1e9), "ns"),
                ]
            }
            result.figures += [
                Figure("generator's sleeps per \(result.operation)", each(Double(findings.sleeps)), ""),
                Figure("generator's preemptions per \(result.operation)", each(Double(findings.preemptions)), ""),
            ]
        }
        let share = all.totalSeconds / max(findings.seconds, 0.001)
        if share > Self.busy, !generator.spins {
            result.notes.append("The generator used \(Int(share * 100)) % of a processor: it may have been the bottleneck.")
        }
    }

    func memory(_ server: Server, connections: Int) -> MemoryPoint? {
        guard server.pid != nil else { return nil }
        let memory = ServerMemory(server.pids)
        return MemoryPoint(
            connections: connections, residentBytes: memory.residentBytes, anonymousBytes: memory.anonymousBytes,
            kernelBytes: memory.kernelSlabBytes + memory.kernelSocketBytes)
    }

    static func mark(_ conductor: Conductor) -> Int64 { MonotonicInstant.now.nanoseconds - conductor.epoch }
}

import Dialect
import Linux
import Report

/// What the scenarios have in common: a server started for one of them, its times and memory before and after, and the result.
public struct Scenario {
    public var generator = GeneratorOptions()
    public var seconds = 5.0
    /// What the generator found of a worker's own cost: at more than this share of its processor it was the generator that was measured.
    static let busy = 0.9

    public init() {}

    func result(_ name: String, _ server: Server, _ operation: String, _ parameters: [Parameter]) -> ScenarioResult {
        var all = [Parameter("clients", generator.clients)] + parameters
        if server.choice.isCompressed { all.append(Parameter("compression", "permessage-deflate without takeover")) }
        if server.dialect == .hub { all.append(Parameter("token", server.choice.tokenKey.rawValue)) }
        if server.isHub { all.append(Parameter("loops", server.choice.loops)) }
        return ScenarioResult(scenario: name, server: server.dialect.title, parameters: all, operation: operation)
    }

    /// The server's processor time while `body` runs.
    func measured(_ server: Server, _ result: inout ScenarioResult, _ body: () throws -> Void) throws {
        let before = server.times()
        let children = server.childTimes()
        let start = MonotonicInstant.now
        try body()
        result.seconds = (MonotonicInstant.now - start).seconds
        if server.pid != nil { result.serverCPU = server.times().spent(since: before) }
        if let children, let now = server.childTimes() {
            for time in now.spent(since: children) {
                result.figures.append(Figure("\(time.group), processor time beside the hub's", time.totalSeconds, "s"))
            }
        }
    }

    /// The generator's share, which must not be the bottleneck.
    func add(_ findings: Findings, to result: inout ScenarioResult) {
        result.counts += findings.counts.sorted { $0.key < $1.key }.map { Count($0.key, $0.value) }
        result.latencies += findings.latencies.sorted { $0.key < $1.key }.map { LatencySeries($0.key, $0.value) }
        result.generatorCPU = CPUTime(group: "generator", userSeconds: findings.userSeconds, systemSeconds: findings.systemSeconds)
        if result.operations > 0 {
            let spent = (findings.userSeconds + findings.systemSeconds) / Double(result.operations) * 1e9
            result.figures.append(Figure("generator's own cost per \(result.operation)", spent, "ns"))
            result.figures.append(
                Figure(
                    "generator's own user-space cost per \(result.operation)", findings.userSeconds / Double(result.operations) * 1e9, "ns")
            )
        }
        let share = (findings.userSeconds + findings.systemSeconds) / max(findings.seconds, 0.001)
        if share > Self.busy {
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

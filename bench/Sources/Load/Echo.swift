import Dialect
import Linux
public import Report

/// Messages that the server sends back to their senders.
public struct Echo {
    public var common = Scenario()
    public var bytes = 300
    /// Messages per second and client, sent on schedule; 0: each client always has one in flight.
    public var rate = 0.0

    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        guard server.dialect.roles.contains(.echo) else { throw LoadFailure("\(server.dialect.title) does not echo") }
        let conductor = try Conductor(server, common.generator)
        var result = common.result(
            "echo", server, "echo",
            [Parameter("bytes", bytes), Parameter("rate", rate == 0 ? "one always on its way" : "\(rate)/s and client")])
        try conductor.hire(.echo(Echoing(dialect: server.dialect, bytes: bytes, rate: rate)), role: .echo)
        _ = try conductor.connect()
        // Warm-up: a tenth of the time.
        try conductor.begin()
        try conductor.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e8), "warming up")
        _ = try conductor.finish()
        var findings = Findings()
        try common.measured(server, &result) {
            try conductor.begin()
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9), "echo")
            findings = try conductor.finish()
        }
        result.operations = findings.count("echoes")
        common.add(findings, to: &result)
        result.timelines.append(conductor.timeline("echoes"))
        if rate == 0 {
            result.notes.append("Closed loop: a client that waits sends nothing, so its latencies say nothing of an arrival rate.")
        }
        return result
    }
}

import Dialect
import Linux
public import Report

/// From the TCP connection to a subscribed session. In the first round the hub has not seen the clients' tokens before; in the second
/// it has their checks in its cache.
public struct Connect {
    public var common = Scenario()
    /// Connections started per second, on schedule; 0: as many at the same time as the generator's concurrency allows.
    public var rate = 0.0
    public init() {}

    public func run(_ server: Server) throws -> [ScenarioResult] {
        var common = common
        common.generator.connectRate = rate
        let conductor = try Conductor(server, common.generator)
        try conductor.hire(.hear(Hearing(dialect: server.dialect)), role: .subscriber)
        var results: [ScenarioResult] = []
        for isCold in [true, false] {
            var result = common.result(
                "connect", server, "connect",
                [
                    Parameter("rate", rate == 0 ? "\(common.generator.concurrency) at once" : "\(rate)/s"),
                    Parameter("tokens", isCold ? "cold" : "seen before"),
                ])
            let accepted = server.dialect == .hub ? try server.metric("hub_tokens_accepted_total") : 0
            var findings = Findings()
            try common.measured(server, &result) { findings = try conductor.connect(isCold ? .open : .reopen) }
            result.seconds = findings.seconds
            result.operations = findings.count("connected")
            common.add(findings, to: &result)
            if server.dialect == .hub {
                let now = try server.metric("hub_tokens_accepted_total")
                guard now - accepted == Double(common.generator.clients) else {
                    throw LoadFailure("\(common.generator.clients) clients connected, and the hub accepted \(now - accepted) tokens")
                }
            }
            results.append(result)
            guard server.dialect.needsToken else { break }
            if isCold { try conductor.cut() }
            // The second round must not include the hub's work for the disconnection.
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + 500_000_000, "resting")
        }
        return results
    }
}

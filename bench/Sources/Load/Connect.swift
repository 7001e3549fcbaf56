import Dialect
import Linux
public import Report

/// From the TCP connection to a subscribed session, with a token nobody has seen before; then the same clients once more, whose tokens
/// the hub remembers.
public struct Connect {
    public var common = Scenario()
    /// Connections begun per second at intended moments; 0: as many at once as the generator's concurrency allows.
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
            // What the cut left behind is not to be paid by the second round.
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + 500_000_000, "resting")
        }
        return results
    }
}

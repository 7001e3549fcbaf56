import Dialect
import Linux
public import Report

/// Messages from one person to another, until both receipts are back.
public struct Messages {
    public var common = Scenario()
    /// Messages per second over all pairs, at intended moments.
    public var rate = 500.0
    public var bodyBytes = 120
    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        let pairs = common.generator.clients / 2
        let conductor = try Conductor(server, common.generator)
        var result = common.result(
            "messages", server, "message", [Parameter("pairs", pairs), Parameter("rate", "\(rate)/s"), Parameter("body", bodyBytes)])
        try conductor.hire(.talk(Talking(rate: rate / Double(max(pairs, 1)), bodyBytes: bodyBytes)), role: .subscriber, pairs: true)
        _ = try conductor.connect()
        var findings = Findings()
        try common.measured(server, &result) {
            try conductor.begin()
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9), "messages")
            findings = try conductor.finish(within: 30)
        }
        result.operations = findings.count("messages")
        common.add(findings, to: &result)
        result.timelines.append(conductor.timeline("messages read"))
        let stored = try server.number(
            "select count(*) from hub.entry where kind = 'message' and starts_with(sender, $1)", [server.signer?.userPrefix ?? ""])
        guard stored == findings.count("stored messages") else {
            throw LoadFailure("\(findings.count("stored messages")) messages were answered, and the database has \(stored)")
        }
        return result
    }
}

import Dialect
import Linux
public import Report

/// Everyone is cut at once, misses some entries, and comes back; nothing may be lost, nothing come twice.
public struct Storm {
    public var common = Scenario()
    /// Published while everyone is away.
    public var missed = 20
    /// The hub is killed (SIGKILL) and started again, instead of the lines being cut.
    public var killsServer = false
    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        let clients = common.generator.clients
        let conductor = try Conductor(server, common.generator)
        var result = common.result(
            "storm", server, "resume", [Parameter("missed", missed), Parameter("cut", killsServer ? "hub killed" : "lines")])
        try conductor.hire(.hear(Hearing(dialect: .hub, followsNumbers: true)), role: .subscriber)
        _ = try conductor.connect()
        var publisher = try KafkaPublisher(server, bytes: 300)
        var published: Int64 = 0
        func publish(_ count: Int) throws {
            for _ in 0..<count {
                try publisher.publish(1, mark: Scenario.mark(conductor))
                published += 1
            }
            try publisher.flush()
        }
        try publish(3)
        try conductor.wait(within: .seconds(60), for: "the entries before the storm") {
            conductor.totalEvents >= published * Int64(clients)
        }
        try conductor.cut()
        if killsServer {
            try server.killAndRestart()
            // Its broker was inside it.
            publisher = try KafkaPublisher(server, bytes: 300)
        }
        let before = try server.number("select last_seq from hub.channel where name = $1", [Dialect.channel])
        try publish(missed)
        try conductor.wait(within: .seconds(60), for: "the missed entries to be stored") {
            Thread.pause(.milliseconds(10))
            return try server.number("select last_seq from hub.channel where name = $1", [Dialect.channel]) >= before + Int64(missed)
        }
        // Wakes and closes of the cut are not the storm's.
        try conductor.turn(until: MonotonicInstant.now.nanoseconds + 500_000_000, "resting")
        let transactions = try server.metric("hub_store_transactions_total")
        let reads = try server.metric("hub_store_read_transaction_seconds_count")
        var findings = Findings()
        var connected = Findings()
        try common.measured(server, &result) {
            connected = try conductor.connect(.reopen, within: .seconds(60) + .milliseconds(clients * 10))
            findings = try conductor.finish(expected: published, within: 60)
        }
        result.seconds = connected.seconds
        result.operations = Int64(clients)
        for (name, value) in connected.counts { findings.counts[name] = value }
        findings.latencies = ["cut → live again": connected.latencies["connect → ready"] ?? LatencyRecorder()]
        (findings.userSeconds, findings.systemSeconds, findings.seconds) = (
            connected.userSeconds, connected.systemSeconds, connected.seconds
        )
        common.add(findings, to: &result)
        result.figures += [
            Figure("transactions per client", (try server.metric("hub_store_transactions_total") - transactions) / Double(clients), ""),
            Figure(
                "reading round trips per client", (try server.metric("hub_store_read_transaction_seconds_count") - reads) / Double(clients),
                "", goal: .atMost(1)),
        ]
        result.counts.append(Count("entries replayed", Int64(missed * clients)))
        try checkNothingLost(findings, nil)
        return result
    }
}

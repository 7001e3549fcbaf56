import Dialect
import Linux
public import Report

/// All clients are disconnected at once, miss some entries and reconnect. No entry may be lost or delivered twice.
public struct Storm {
    public var common = Scenario()
    /// Entries published to all clients while they are disconnected.
    public var missed = 20
    /// Entries published to each client's inbox meanwhile.
    public var missedInbox = 1
    /// The hub is killed (SIGKILL) and restarted, instead of the connections being reset.
    public var killsServer = false
    public init() {}

    private static let metrics = (
        all: "hub_store_transactions_total", reads: "hub_store_read_transaction_seconds_count", orders: "hub_store_orders_answered_total"
    )

    public func run(_ server: Server) throws -> ScenarioResult {
        guard let signer = server.signer else {
            throw LoadFailure("without the hub's signing key there are no sessions: give its --data folder")
        }
        let clients = common.generator.clients
        let conductor = try Conductor(server, common.generator)
        var result = common.result(
            "storm", server, "resume",
            [
                Parameter("missed of all", missed), Parameter("missed of the inbox", missedInbox),
                Parameter("at once", common.generator.concurrency), Parameter("cut", killsServer ? "hub killed" : "lines"),
            ])
        try conductor.hire(.hear(Hearing(dialect: .hub, followsInbox: true, followsNumbers: true)), role: .subscriber)
        _ = try conductor.connect()
        var publisher = try KafkaPublisher(server, bytes: 300)
        let before: Int64 = 3
        for _ in 0..<before { try publisher.publish(1, mark: Scenario.mark(conductor)) }
        try publisher.flush()
        try conductor.wait(within: .seconds(60), for: "the entries before the storm") {
            conductor.totalEvents >= before * Int64(clients)
        }
        try conductor.cut()
        if killsServer {
            try server.killAndRestart()
            // The embedded broker ended with the hub.
            publisher = try KafkaPublisher(server, bytes: 300)
        }
        try conductor.begin()
        let stored = try server.metric("hub_entries_stored_total")
        for _ in 0..<missed { try publisher.publish(1, mark: Scenario.mark(conductor)) }
        for _ in 0..<missedInbox {
            for client in 0..<clients {
                try publisher.publish(to: signer.userPrefix + String(client), mark: Scenario.mark(conductor), body: "Missed")
            }
        }
        try publisher.flush()
        try conductor.wait(within: .seconds(60) + .milliseconds(clients * missedInbox), for: "the missed entries to be stored") {
            Thread.pause(.milliseconds(20))
            return try server.metric("hub_entries_stored_total") - stored >= Double(missed + clients * missedInbox)
        }
        // The hub's work for the disconnection itself is not measured.
        try conductor.turn(until: MonotonicInstant.now.nanoseconds + 500_000_000, "resting")
        let resident = server.pid == nil ? nil : ServerMemory(server.pids).residentBytes
        let counters = try counters(server)
        var findings = Findings()
        var connected = Findings()
        try common.measured(server, &result) {
            connected = try conductor.connect(.reopen, within: .seconds(60) + .milliseconds(clients * 10))
            findings = try conductor.finish(expected: before + Int64(missed + missedInbox), within: 60)
        }
        let spent = zip(try self.counters(server), counters).map { ($0 - $1) / Double(clients) }
        result.seconds = connected.seconds
        result.operations = Int64(clients)
        findings.counts.merge(connected.counts) { $1 }
        findings.latencies = connected.latencies
        (findings.userSeconds, findings.systemSeconds, findings.seconds) = (
            connected.userSeconds, connected.systemSeconds, connected.seconds
        )
        common.add(findings, to: &result)
        result.figures += [
            Figure("until all are live again", connected.seconds, "s"),
            Figure("database round trips per client", spent[0], "", goal: .atMost(1)),
            Figure("of them reading", spent[1], ""),
            Figure("store's orders per client, which share round trips", spent[2], ""),
        ]
        if let resident, server.pid != nil {
            let growth = ServerMemory(server.pids).residentBytes - resident
            result.figures.append(
                Figure("resident memory more than with all away, per client", Double(growth) / Double(clients), "B"))
        }
        try checkNothingLost(findings, Int64(clients) * Int64(missed + missedInbox))
        return result
    }

    private func counters(_ server: Server) throws -> [Double] {
        try [Self.metrics.all, Self.metrics.reads, Self.metrics.orders].map { try server.metric($0) }
    }
}

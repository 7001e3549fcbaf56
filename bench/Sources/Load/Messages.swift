import Dialect
import Linux
public import Report

/// Messages from one user to another, until the sender has both receipts.
public struct Messages {
    public var common = Scenario()
    /// Messages per second over all pairs, sent on schedule.
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
        try check(findings, server)
        return result
    }

    /// Checks that sender, receiver and database have every message as delivered and read.
    func check(_ findings: Findings, _ server: Server) throws {
        let prefix = server.signer?.userPrefix ?? ""
        let mine = "e.kind = 'message' and starts_with(e.sender, $1)"
        let stored = try server.number("select count(*) from hub.entry e where \(mine)", [prefix])
        let read = try server.number(
            """
            select count(*) from hub.entry e join hub.cursor c on c.channel_id = e.channel_id and c.user_id <> e.sender
            where \(mine) and c.delivered >= e.seq and c.read >= e.seq
            """, [prefix])
        let counts = [
            ("were answered", findings.count("stored messages")), ("arrived", findings.count("arrived messages")),
            ("have a delivered receipt", findings.count("messages with a delivered receipt")),
            ("have a read receipt", findings.count("messages with a read receipt")), ("are in the database", stored),
            ("are delivered and read by the database's cursors", read),
        ]
        for (what, count) in counts where count != findings.count("messages") {
            throw LoadFailure("\(findings.count("messages")) messages were sent, and \(count) \(what)")
        }
    }
}

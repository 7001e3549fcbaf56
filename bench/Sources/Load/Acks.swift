import Dialect
import Linux
public import Report

/// Acknowledgements, each answered after its commit. At the end the bench checks that the database has them.
public struct Acks {
    public var common = Scenario()
    /// Entries in the channel, which is also the number of acks that each session can send.
    public var entries = 3_000
    /// Acks in flight per session.
    public var window = 1
    /// Acks per second over all sessions, sent on schedule; 0: each is sent when the reply to the one before arrives.
    public var rate = 0.0
    /// The goal for the hub's own user-space time for an ack.
    private static let goalNanoseconds = 1_500.0
    /// The goal is not judged when the standard error is a larger share of the value than this.
    private static let surely = 0.1
    public init() {}

    private static let channel = "broadcast:institution:bench"

    public func run(_ server: Server) throws -> ScenarioResult {
        let conductor = try Conductor(server, common.generator)
        var result = common.result(
            "acks", server, "ack", [rate > 0 ? Parameter("rate", "\(rate)/s") : Parameter("on their way per client", window)])
        let publisher = try KafkaPublisher(server, bytes: 300, channel: Self.channel, linger: .milliseconds(5))
        let before = try stored(server)
        let start = MonotonicInstant.now.nanoseconds
        // Entries are published in portions, because the embedded broker keeps a limited number of bytes.
        var published = 0
        while published < entries {
            let portion = min(2_000, entries - published)
            for index in 0..<portion { try publisher.publish(1, mark: start + Int64(published + index)) }
            try publisher.flush()
            published += portion
            try conductor.wait(within: .seconds(60), for: "\(published) entries to be stored") {
                Thread.pause(.milliseconds(20))
                return try stored(server) >= before + Int64(published)
            }
        }
        let head = try stored(server)
        try conductor.hire(
            .ack(
                Acknowledging(
                    channel: Self.channel, head: UInt64(head), window: window, rate: rate / Double(max(common.generator.clients, 1)))),
            role: .subscriber)
        _ = try conductor.connect()
        let transactions = try server.metric("hub_store_transactions_total")
        var findings = Findings()
        try common.measured(server, &result) {
            try conductor.begin()
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + Int64(common.seconds * 1e9), "acks")
            findings = try conductor.finish()
        }
        result.operations = findings.count("acks")
        common.add(findings, to: &result)
        let made = try server.metric("hub_store_transactions_total") - transactions
        result.figures.append(Figure("acks per transaction", Double(result.operations) / max(made, 1), ""))
        result.timelines.append(conductor.timeline("acks"))
        if rate == 0 { result.notes.append("Closed loop: each client waits for its reply before the next ack.") }
        if server.pid != nil { try judge(&result) }
        let durable = try server.number(
            "select coalesce(sum(c.delivered), 0)::bigint from hub.cursor c join hub.channel h on h.id = c.channel_id "
                + "where h.name = $1 and starts_with(c.user_id, $2)", [Self.channel, server.signer?.userPrefix ?? ""])
        guard durable == findings.count("delivered cursors") else {
            throw LoadFailure("\(findings.count("delivered cursors")) acks were answered, and the database has \(durable)")
        }
        result.counts.append(Count("acks in the database", durable))
        return result
    }

    /// The hub's user time for an ack, and its standard error: the kernel divides processor time into user and system time by sampling at
    /// its ticks.
    private func judge(_ result: inout ScenarioResult) throws {
        guard result.operations > 0 else { throw LoadFailure("no ack was answered in the measured time") }
        let own = result.serverCPU.filter { $0.group == "loops" || $0.group == "store" }
        guard own.count == 2 else { throw LoadFailure("the hub has no threads named loop-… and store, whose processor time an ack is") }
        let all = own.reduce(into: CPUTime(group: "own")) { $0.add($1) }
        let each = 1e9 / Double(result.operations)
        let error = all.userStandardError()
        let isSure = error <= Self.surely * all.userSeconds
        result.figures.append(
            Figure(
                "user CPU per ack, loop and store threads", all.userSeconds * each, "ns", goal: isSure ? .atMost(Self.goalNanoseconds) : nil
            ))
        result.figures += own.map { Figure("of it, \($0.group)", $0.userSeconds * each, "ns") }
        result.figures.append(Figure("its standard error", error * each, "ns"))
        result.notes.append(
            "User time is known by the kernel's ticks: its standard error is for 100 of them a second, the fewest there are.")
        if !isSure { result.notes.append("User CPU per ack is not sure enough to be judged: give more --seconds.") }
    }

    private func stored(_ server: Server) throws -> Int64 {
        try server.number("select coalesce(max(last_seq), 0)::bigint from hub.channel where name = $1", [Self.channel])
    }
}

import Dialect
import Linux
public import Report

/// Delivers one entry, or a burst of entries, to all clients.
public struct Fanout {
    public var common = Scenario()
    /// The length of the WebSocket message that a subscriber gets.
    public var bytes = 300
    /// Entries published together.
    public var burst = 1
    /// Publications per second on schedule; 0: each is published when all clients have the one before, so that the hub joins none.
    public var rate = 0.0
    /// The interval at which another client sends acks meanwhile; nil: none.
    public var probeEvery: Duration? = .milliseconds(20)
    public var warmups = 5
    /// The goal for the latency of that client's acks, in milliseconds.
    private static let ackGoal = 20.0
    /// During a broadcast the hub sends each session its counters about once a second. The measured time is therefore whole seconds:
    /// otherwise each session would have one counter message too many or too few.
    private static let counterPeriod = 1.0
    static func window(_ seconds: Double) -> Double {
        seconds < counterPeriod ? seconds : (seconds / counterPeriod).rounded(.up) * counterPeriod
    }

    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        let isHub = server.dialect == .hub
        let probes = isHub && probeEvery != nil
        let conductor = try Conductor(
            server, common.generator, role: isHub ? .subscriber : .publisher, ownSeats: isHub ? (probes ? 1 : 0) : 1)
        var result = common.result(
            "fanout", server, "delivery",
            [
                Parameter("bytes", bytes), Parameter("burst", burst),
                Parameter("rate", rate == 0 ? "each when all have the one before" : "\(rate)/s"),
            ])
        let publisher: any Publisher
        var probe: Probe?
        if isHub {
            // The other servers get a burst in one send, so the hub gets it in one batch.
            let kafka = try KafkaPublisher(server, bytes: bytes, linger: burst > 1 ? .milliseconds(2) : .zero)
            publisher = kafka
            // Twice the planned time, because deliveries can take longer than planned.
            if probes, let probeEvery {
                probe = try Probe(conductor, kafka, every: probeEvery, seconds: Self.window(common.seconds) * 2 + 5)
            }
        } else {
            publisher = try SocketPublisher(conductor, bytes: bytes)
        }
        if let point = common.memory(server, connections: 0) { result.memory.append(point) }
        try conductor.hire(.hear(Hearing(dialect: server.dialect, announcesEvery: burst)), role: .subscriber)
        let connected = try conductor.connect()
        if server.choice.isCompressed, connected.count("compressed") < Int64(common.generator.clients) {
            throw LoadFailure(
                "\(server.dialect.title) agreed to compress with \(connected.count("compressed")) of \(common.generator.clients) clients")
        }
        if let point = common.memory(server, connections: common.generator.clients) { result.memory.append(point) }
        var published: Int64 = 0
        func round(intended: Int64? = nil) throws {
            try publisher.publish(burst, mark: (intended ?? MonotonicInstant.now.nanoseconds) - conductor.epoch)
            published += Int64(burst)
        }
        func allClientsHave() throws {
            try conductor.wait(within: .seconds(20), for: "all clients to have \(published) deliveries") {
                conductor.rounds.allSatisfy { $0 >= published }
            }
        }
        for _ in 0..<warmups {
            try round()
            try allClientsHave()
        }
        try conductor.begin()
        probe?.start()
        let measuredFrom = published
        let compressions = isHub && server.choice.isCompressed ? try server.metric("hub_compressions_total") : nil
        try common.measured(server, &result) {
            let start = MonotonicInstant.now.nanoseconds
            let end = start + Int64(Self.window(common.seconds) * 1e9)
            var number: Int64 = 0
            while MonotonicInstant.now.nanoseconds < end {
                if rate > 0 {
                    let intended = start + Int64(Double(number) * 1e9 / rate)
                    try conductor.turn(until: intended, "fanout")
                    try round(intended: intended)
                } else {
                    try round()
                    try allClientsHave()
                }
                number += 1
            }
            try allClientsHave()
        }
        if let compressions {
            let made = try server.metric("hub_compressions_total") - compressions
            result.figures.append(Figure("compressions per entry", made / Double(published - measuredFrom), "", goal: .atMost(1)))
        }
        try probe?.stop()
        let findings = try conductor.finish(expected: published)
        result.operations = (published - measuredFrom) * Int64(common.generator.clients)
        common.add(findings, to: &result)
        let deliveries = Double(max(findings.count("deliveries"), 1))
        result.figures += [
            Figure("WebSocket messages per delivery", Double(findings.count(Findings.messages)) / deliveries, ""),
            Figure("other things in them per delivery, such as counters", Double(findings.count(Findings.others)) / deliveries, ""),
        ]
        if let probe {
            let name = "another client's ack → reply meanwhile"
            result.latencies.append(LatencySeries(name, probe.latencies))
            result.figures.append(
                Figure("\(name), p99", Double(probe.latencies.nanoseconds(atPercentile: 99)) / 1e6, "ms", goal: .atMost(Self.ackGoal)))
        }
        result.timelines.append(conductor.timeline("deliveries"))
        guard findings.count("deliveries") == result.operations, findings.count("more than published") == 0 else {
            throw LoadFailure(
                "\(result.operations) deliveries were due, and \(findings.count("deliveries")) came; \(findings.count("more than published")) too many"
            )
        }
        return result
    }
}

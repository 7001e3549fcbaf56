import Dialect
import Linux
public import Report

/// The same load in two alternating kinds of turns: all clients read, or a share of them has stopped reading.
/// After each turn the stopped clients read again, and must have missed nothing.
public struct Slow {
    public var common = Scenario()
    /// The share of the clients that stop reading.
    public var share = 0.1
    /// Entries per second to all clients, published on schedule.
    public var rate = 20.0
    public var bytes = 8_000
    /// Turns of each kind; each lasts `common.seconds`.
    public var rounds = 3
    public init() {}

    /// The results of the turns of one kind.
    private struct Side {
        var result: ScenarioResult
        var findings = Findings()
        var behind: Int64 = 0
        var p99: [Double] = []
        var most = ServerMemory()
    }

    /// The goal: the greatest memory of slow turns, as a multiple of the greatest memory while all clients read.
    private static let flat = 1.1
    private static let way = "publish → delivered"

    public func run(_ server: Server) throws -> [ScenarioResult] {
        let clients = common.generator.clients
        let slow = Int(Double(clients) * share)
        let conductor = try Conductor(server, common.generator)
        let publisher = try KafkaPublisher(server, bytes: bytes)
        try conductor.hire(.hear(Hearing(dialect: .hub, followsNumbers: true)), role: .subscriber) { plan in
            // Small socket buffers, so that the hub has to queue the data.
            plan.door.smallBufferSeats = Int((share * Double(plan.seats)).rounded())
        }
        _ = try conductor.connect()
        var published: Int64 = 0
        // The first deliveries grow the buffers that the hub then keeps.
        for _ in 0..<10 {
            try publisher.publish(1, mark: Scenario.mark(conductor))
            published += 1
            try conductor.wait(within: .seconds(20), for: "warming up") { conductor.totalEvents >= published * Int64(clients) }
        }
        var resident = Timeline(name: "resident memory", unit: "B")
        var kernel = Timeline(name: "kernel's socket buffers", unit: "B")
        var most = ServerMemory()
        if server.pid != nil {
            conductor.pulse = {
                let now = ServerMemory(server.pids)
                most.residentBytes = max(most.residentBytes, now.residentBytes)
                most.kernelSocketBytes = max(most.kernelSocketBytes, now.kernelSocketBytes)
                let seconds = Double(Scenario.mark(conductor)) / 1e9
                resident.points.append(Timeline.Point(seconds: seconds, value: Double(now.residentBytes)))
                kernel.points.append(Timeline.Point(seconds: seconds, value: Double(now.kernelSocketBytes)))
                return MonotonicInstant.now.nanoseconds + 100_000_000
            }
        }
        defer { conductor.pulse = nil }
        var sides = [false, true].map { isSlow in
            Side(
                result: common.result(
                    "slow", server, "delivery",
                    [
                        Parameter("bytes", bytes), Parameter("rate", "\(rate)/s"), Parameter("turns", rounds),
                        Parameter("not reading", isSlow ? slow : 0),
                    ]))
        }
        for round in 0..<rounds {
            // The order alternates between rounds, so that a drift of the machine affects both kinds equally.
            for isSlow in round.isMultiple(of: 2) ? [false, true] : [true, false] {
                let side = isSlow ? 1 : 0
                most = ServerMemory()
                try turn(isSlow, slow, conductor, publisher, &published, &sides[side])
                sides[side].most.residentBytes = max(sides[side].most.residentBytes, most.residentBytes)
                sides[side].most.kernelSocketBytes = max(sides[side].most.kernelSocketBytes, most.kernelSocketBytes)
            }
        }
        return conclude(sides, slow, [resident, kernel])
    }

    private func turn(
        _ isSlow: Bool, _ slow: Int, _ conductor: Conductor, _ publisher: KafkaPublisher, _ published: inout Int64, _ side: inout Side
    ) throws {
        let server = conductor.server
        try conductor.begin()
        if isSlow { try conductor.pause(seats: slow) }
        let gaps = try server.metric("hub_gaps_total")
        let first = published
        try common.measured(server, &side.result) {
            let start = MonotonicInstant.now.nanoseconds
            for number in 0..<Int(rate * common.seconds) {
                let intended = start + Int64(Double(number) * 1e9 / rate)
                try conductor.turn(until: intended, isSlow ? "some do not read" : "all read")
                try publisher.publish(1, mark: intended - conductor.epoch)
                published += 1
            }
            try conductor.turn(until: MonotonicInstant.now.nanoseconds + 300_000_000, "the last ones")
        }
        if isSlow { try conductor.resume() }
        let findings = try conductor.finish(expected: published, within: 120)
        let deliveries = (published - first) * Int64(common.generator.clients)
        try checkNothingLost(findings, deliveries)
        side.result.operations += deliveries
        side.behind += Int64(try server.metric("hub_gaps_total") - gaps)
        side.p99.append(Double(findings.latencies[Self.way]?.nanoseconds(atPercentile: 99) ?? 0))
        let seconds = side.findings.seconds + findings.seconds
        side.findings.merge(findings)
        side.findings.seconds = seconds
    }

    private func conclude(_ sides: [Side], _ slow: Int, _ timelines: [Timeline]) -> [ScenarioResult] {
        var results: [ScenarioResult] = []
        for side in sides {
            var result = side.result
            common.add(side.findings, to: &result)
            result.counts.append(Count("times that a session fell behind", side.behind))
            if side.most.residentBytes > 0 {
                result.figures += [
                    Figure("resident memory, most", Double(side.most.residentBytes), "B"),
                    Figure("kernel's socket buffers of the whole machine, most", Double(side.most.kernelSocketBytes), "B"),
                ]
            }
            results.append(result)
        }
        if sides[1].behind < Int64(slow * rounds) {
            results[1].notes.append(
                "A session fell behind \(sides[1].behind) times, and \(slow * rounds) would be all: more --seconds, --bytes or --rate fill all sockets."
            )
        }
        let ratios = zip(sides[1].p99, sides[0].p99).map { $0 / max($1, 1) }.sorted()
        let name = "p99 of those who read, to without slow readers"
        results[1].figures += [
            Figure("\(name), median of the rounds", Self.median(ratios), "×", goal: .atMost(1.2)),
            Figure("\(name), least", ratios.first ?? 0, "×"), Figure("\(name), greatest", ratios.last ?? 0, "×"),
        ]
        let most = sides.map { Double($0.most.residentBytes) }
        if most[0] > 0 {
            results[1].figures.append(
                Figure("resident memory, most, to without slow readers", most[1] / most[0], "×", goal: .atMost(Self.flat)))
        }
        results[1].timelines += timelines
        return results
    }

    static func median(_ sorted: [Double]) -> Double {
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

import Dialect
import Linux
public import Report

/// The same load twice: everyone reads, then a share has stopped reading. In the end those read on, and must have missed nothing.
public struct Slow {
    public var common = Scenario()
    /// Of the clients, that stop reading.
    public var share = 0.1
    /// Entries per second to everyone, at intended moments.
    public var rate = 20.0
    public var bytes = 8_000
    public init() {}

    public func run(_ server: Server) throws -> [ScenarioResult] {
        let clients = common.generator.clients
        let slow = Int(Double(clients) * share)
        let conductor = try Conductor(server, common.generator)
        let publisher = try KafkaPublisher(server, bytes: bytes)
        try conductor.hire(.hear(Hearing(dialect: .hub, followsNumbers: true)), role: .subscriber) { plan in
            // Little room on their way, so that the hub is the one that has to wait.
            plan.door.receiveBufferBytes = 4_096
            plan.door.smallBufferSeats = Int((share * Double(plan.seats)).rounded())
        }
        _ = try conductor.connect()
        var published: Int64 = 0
        var results: [ScenarioResult] = []
        // The first deliveries make everything grow that is then kept.
        for _ in 0..<10 {
            try publisher.publish(1, mark: Scenario.mark(conductor))
            published += 1
            try conductor.wait(within: .seconds(20), for: "warming up") { conductor.totalEvents >= published * Int64(clients) }
        }
        for isSlow in [false, true] {
            var result = common.result(
                "slow", server, "delivery",
                [Parameter("bytes", bytes), Parameter("rate", "\(rate)/s"), Parameter("not reading", isSlow ? slow : 0)])
            try conductor.begin()
            if isSlow { try conductor.pause(seats: slow) }
            if let point = common.memory(server, connections: clients) { result.memory.append(point) }
            let gaps = try server.metric("hub_gaps_total")
            let first = published
            try common.measured(server, &result) {
                let start = MonotonicInstant.now.nanoseconds
                for number in 0..<Int(rate * common.seconds) {
                    let intended = start + Int64(Double(number) * 1e9 / rate)
                    try conductor.turn(until: intended, isSlow ? "some do not read" : "everyone reads")
                    try publisher.publish(1, mark: intended - conductor.epoch)
                    published += 1
                }
                try conductor.turn(until: MonotonicInstant.now.nanoseconds + 300_000_000, "the last ones")
            }
            if let point = common.memory(server, connections: clients) { result.memory.append(point) }
            if isSlow { try conductor.resume() }
            let findings = try conductor.finish(expected: published, within: 120)
            result.operations = (published - first) * Int64(clients)
            common.add(findings, to: &result)
            let behind = Int64(try server.metric("hub_gaps_total") - gaps)
            result.counts.append(Count("sessions that fell behind", behind))
            if isSlow, behind < slow {
                result.notes.append(
                    "Only \(behind) of \(slow) sockets filled up: more --seconds, --bytes or --rate would make all of them fall behind.")
            }
            try checkNothingLost(findings, result.operations)
            results.append(result)
        }
        let name = "publish → delivered"
        let p99 = results.map { result in Double(result.latencies.first { $0.name == name }?.recorder.nanoseconds(atPercentile: 99) ?? 0) }
        results[1].figures.append(
            Figure("p99 of those who read, to without slow readers", p99[1] / max(p99[0], 1), "×", goal: .atMost(1.2)))
        return results
    }
}

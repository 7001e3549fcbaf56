import Dialect
import Foundation
import Linux
public import Report

/// Events from Kafka to the socket: each is committed in PostgreSQL and delivered to one user's inbox.
public struct Durable {
    public var common = Scenario()
    /// Events per second, published on schedule; 0: as many as possible, with a bounded number in flight.
    public var rate = 2_000.0
    /// The most events in flight when `rate` is 0. The embedded broker keeps a limited number of bytes.
    public var window: Int64 = 10_000
    /// The rate for which the table of goals has goals.
    private static let judgedRate = 2_000.0
    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        guard let signer = server.signer else {
            throw LoadFailure("without the hub's signing key there are no sessions: give its --data folder")
        }
        let clients = common.generator.clients
        let conductor = try Conductor(server, common.generator)
        var result = common.result("durable", server, "event", [Parameter("rate", rate == 0 ? "as many as get through" : "\(Int(rate))/s")])
        let publisher = try KafkaPublisher(server, bytes: 300)
        try conductor.hire(.hear(Hearing(dialect: .hub, channels: ["inbox"], followsNumbers: true)), role: .subscriber)
        _ = try conductor.connect()
        let body = String(repeating: "x", count: 100)
        var published = 0
        func publish(intended: Int64) throws {
            try publisher.publish(to: signer.userPrefix + String(published % clients), mark: intended - conductor.epoch, body: body)
            published += 1
        }
        // One entry for each inbox, to warm up.
        for _ in 0..<clients { try publish(intended: MonotonicInstant.now.nanoseconds) }
        try conductor.wait(within: .seconds(60), for: "the first entry of each inbox") { conductor.totalEvents >= Int64(published) }
        let warm = published
        let entriesBefore = try server.metric("hub_entries_stored_total")
        let transactions = try server.metric("hub_store_transactions_total")
        try conductor.begin()
        var findings = Findings()
        try common.measured(server, &result) {
            let start = MonotonicInstant.now.nanoseconds
            let end = start + Int64(common.seconds * 1e9)
            var number: Int64 = 0
            // Only complete rounds, so that every inbox gets the same number of entries.
            while MonotonicInstant.now.nanoseconds < end || published % clients != 0 {
                if rate > 0 {
                    let intended = start + Int64(Double(number) * 1e9 / rate)
                    try conductor.turn(until: intended, "durable")
                    try publish(intended: intended)
                } else {
                    if number % 64 == 0 {
                        try conductor.wait(within: .seconds(30), for: "events on their way") {
                            Int64(published) - conductor.totalEvents < window
                        }
                    }
                    try publish(intended: MonotonicInstant.now.nanoseconds)
                }
                number += 1
            }
            findings = try conductor.finish(expected: Int64(published / clients), within: 60)
        }
        result.operations = Int64(published - warm)
        common.add(findings, to: &result)
        let stored = try server.metric("hub_entries_stored_total") - entriesBefore
        let made = try server.metric("hub_store_transactions_total") - transactions
        result.figures.append(Figure("events per transaction", stored / max(made, 1), ""))
        result.timelines.append(conductor.timeline("events"))
        if rate == Self.judgedRate, let recorder = result.latencies.first(where: { $0.name == "publish → delivered" })?.recorder {
            let limits: [(Double, Goal?)] = [(50, .atMost(5)), (99, .atMost(20)), (99.9, nil)]
            for (percentile, goal) in limits {
                let name = "publish → delivered at \(Int(rate))/s, p\(percentile.formatted())"
                result.figures.append(Figure(name, Double(recorder.nanoseconds(atPercentile: percentile)) / 1e6, "ms", goal: goal))
            }
        }
        if rate == 0 {
            result.notes.append("With \(window) events always on their way latencies tell the queue's length; see a run with a rate.")
        }
        try checkNothingLost(findings, result.operations)
        guard Int64(stored) == result.operations else {
            throw LoadFailure("\(result.operations) events were published, and \(Int64(stored)) stored")
        }
        return result
    }
}

func checkNothingLost(_ findings: Findings, _ deliveries: Int64?) throws {
    let wrong = ["missing", "more than published", "gaps", "duplicates", "foreign deliveries"].filter { findings.count($0) > 0 }
    guard wrong.isEmpty else {
        throw LoadFailure("not every entry came once: \(wrong.map { "\($0) \(findings.count($0))" }.joined(separator: ", "))")
    }
    if let deliveries, findings.count("deliveries") != deliveries {
        throw LoadFailure("\(deliveries) deliveries were due, and \(findings.count("deliveries")) came")
    }
}

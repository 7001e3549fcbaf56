import Dialect
import Linux
public import Report

/// A steady load for long: entries to everyone, and from time to time all lines are cut. Memory is read all along.
public struct Soak {
    public var common = Scenario()
    public var rate = 5.0
    public var bytes = 300
    /// Between two cuts of all lines; 0: none.
    public var cutEvery = 60.0
    public init() {}

    public func run(_ server: Server) throws -> ScenarioResult {
        let clients = common.generator.clients
        let conductor = try Conductor(server, common.generator)
        let publisher = try KafkaPublisher(server, bytes: bytes)
        var result = common.result(
            "soak", server, "delivery",
            [Parameter("bytes", bytes), Parameter("rate", "\(rate)/s"), Parameter("cut every", "\(cutEvery) s")])
        try conductor.hire(.hear(Hearing(dialect: .hub, followsNumbers: true)), role: .subscriber)
        _ = try conductor.connect()
        var resident = Timeline(name: "resident memory", unit: "B")
        var published: Int64 = 0
        var cuts: Int64 = 0
        var all = Findings()
        try common.measured(server, &result) {
            let start = MonotonicInstant.now.nanoseconds
            let end = start + Int64(common.seconds * 1e9)
            while MonotonicInstant.now.nanoseconds < end {
                try conductor.begin()
                let from = MonotonicInstant.now.nanoseconds
                let until = min(end, cutEvery > 0 ? from + Int64(cutEvery * 1e9) : end)
                var number: Int64 = 0
                var nextReading = from
                while true {
                    let intended = from + Int64(Double(number) * 1e9 / rate)
                    if intended >= until { break }
                    try conductor.turn(until: intended, "soak")
                    try publisher.publish(1, mark: intended - conductor.epoch)
                    published += 1
                    number += 1
                    if intended >= nextReading, server.pid != nil {
                        resident.points.append(
                            Timeline.Point(seconds: Double(intended - start) / 1e9, value: Double(ServerMemory(server.pids).residentBytes)))
                        nextReading = intended + max(Int64(common.seconds * 1e9) / 200, 1_000_000_000)
                    }
                }
                let findings = try conductor.finish(expected: published, within: 60)
                try checkNothingLost(findings, number * Int64(clients))
                all.merge(findings)
                if MonotonicInstant.now.nanoseconds < end {
                    try conductor.cut()
                    cuts += 1
                    _ = try conductor.connect(.reopen)
                }
            }
        }
        result.operations = published * Int64(clients)
        common.add(all, to: &result)
        result.counts.append(Count("cuts of all lines", cuts))
        if let first = resident.points.first, let last = resident.points.last {
            result.figures.append(Figure("resident memory, end to beginning", last.value / max(first.value, 1), "×"))
        }
        result.timelines += [conductor.timeline("deliveries"), resident]
        return result
    }
}

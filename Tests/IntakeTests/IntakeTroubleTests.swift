import HangGuard
import Kafka
import Linux
import Logging
import Messaging
import Telemetry
import Testing

@testable import Intake

/// What the intake's operator is told: lost records, missing rights, and thousands of faults of one kind.
@Suite(.guarded) struct IntakeTroubleTests {
    @Test func `Records that retention removed before they were read are counted`() async throws {
        let bench = try IntakeBench()
        try await bench.write(["first"])
        let intake = try bench.intake()
        try await eventually("the first") { bench.store.entries.count == 1 }
        try await intake.stopped()
        // The broker keeps 5 MiB of a partition.
        var large = bench.event("large")
        large.value = Array(repeating: UInt8(ascii: "x"), count: 500_000)
        try await bench.write(Array(repeating: large, count: 20))
        try await bench.write(["last"])
        let second = try bench.intake()
        try await eventually("the last") { bench.store.entries.map(\.id) == ["first", "last"] }
        let lost = second.metrics.removedRecords.value
        #expect(lost >= 9 && lost < 20)
        #expect(second.metrics.deadLetters.values.map(\.count).reduce(0, +) + lost == 20)
        try await second.stopped()
    }

    @Test func `A topic that may not be read is told, and so is that it may be again`() async throws {
        let bench = try IntakeBench()
        bench.cluster.fail(.fetch, with: Array(repeating: .topicAuthorizationFailed, count: 30))
        let intake = try bench.intake { $0.refusalTicks = 2 }
        try await eventually("the refusal") { intake.metrics.refusals.value == 1 }
        bench.cluster.forgetFaults(of: .fetch)
        try await eventually("the right, without a record") { intake.metrics.refusals.value == 0 }
        try await bench.write(["one"])
        try await eventually("reading") { bench.store.entries.count == 1 }
        try await intake.stopped()
    }

    @Test func `A group that may not be joined is told, and so is that it may be again`() async throws {
        let bench = try IntakeBench()
        bench.cluster.fail(.joinGroup, with: Array(repeating: .groupAuthorizationFailed, count: 3))
        let intake = try bench.intake()
        try await eventually("the refusal") { intake.metrics.refusals.value == 1 }
        try await eventually("the right") { intake.metrics.refusals.value == 0 && intake.metrics.partitions.value == 1 }
        try await intake.stopped()
    }

    @Test func `A hub whose name was taken says so, and goes on without a name`() async throws {
        let bench = try IntakeBench()
        let lines = Locked([String]())
        var configuration = bench.configuration()
        configuration.consumer.member = "node-1"
        let intake = try Intake(configuration, store: bench.store, log: Logger(label: "intake") { _ in LineKeeper(lines: lines) })
        try await bench.write(["before"])
        try await eventually("the first") { bench.store.entries.count == 1 }
        bench.cluster.fail(.heartbeat, with: [.fencedInstance])
        try await eventually("the failure") { intake.metrics.clientRestarts.value == 1 }
        try await bench.write(["after"])
        try await eventually("the second") { bench.store.entries.count == 2 }
        try await intake.stopped()
        let (opened, fenced) = lines.withLock { lines in
            (lines.filter { $0.hasPrefix("reading from kafka") }, lines.filter { $0.hasPrefix("another hub has this hub's name") })
        }
        #expect(opened.map { $0.contains("member=node-1") } == [true, false])
        #expect(fenced.count == 1 && fenced[0].contains("member=node-1"))
    }

    @Test func `Of many faults of one kind the first is a line, and then their number`() {
        let lines = Locked([String]())
        let log = Logger(label: "intake") { _ in LineKeeper(lines: lines) }
        let repeated = RepeatedLines(log, every: .seconds(30))
        let start = MonotonicInstant.now
        repeated.tick(start)
        for offset in 0..<30_000 { repeated.write(.warning, "record dead-lettered", kind: "not_json", ["offset": "\(offset)"]) }
        repeated.write(.warning, "record dead-lettered", kind: "too_large", ["offset": "x"])
        #expect(lines.withLock { $0 } == ["record dead-lettered offset=0", "record dead-lettered offset=x"])
        repeated.tick(start + .seconds(29))
        #expect(lines.withLock { $0.count } == 2)
        repeated.tick(start + .seconds(31))
        #expect(lines.withLock { $0.last } == "record dead-lettered more=29999 offset=29999 within=30.0 seconds")
        #expect(lines.withLock { $0.count } == 3)
        // After a quiet interval the next one is the first again.
        repeated.tick(start + .seconds(62))
        repeated.write(.warning, "record dead-lettered", kind: "not_json", ["offset": "30000"])
        #expect(lines.withLock { $0.last } == "record dead-lettered offset=30000")
    }
}

/// Keeps lines as texts.
private struct LineKeeper: LogHandler {
    let lines: Locked<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    init(lines: Locked<[String]>) { self.lines = lines }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
        let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        lines.withLock { $0.append("\(event.message)\(facts)") }
    }
}

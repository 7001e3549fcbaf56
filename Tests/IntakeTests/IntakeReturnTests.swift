import HangGuard
import Kafka
import Messaging
import Telemetry
import Testing

@testable import Intake

/// A database that was put back to an earlier state, below an intake that had stored and committed more.
@Suite(.guarded) struct IntakeReturnTests {
    private static let ids = (0..<6).map(String.init)

    /// Two events are in the backup, three more are stored and committed after it.
    private func bench() async throws -> IntakeBench {
        let bench = try IntakeBench()
        try await bench.write(["0", "1"])
        let intake = try bench.intake()
        try await eventually("the first two") { bench.store.entries.count == 2 }
        bench.store.save()
        try await bench.write(["2", "3", "4"])
        try await eventually("three more") { bench.store.entries.count == 5 }
        try await intake.stopped()
        return bench
    }

    @Test func `At its start the intake reads again what the database lacks`() async throws {
        let bench = try await bench()
        bench.store.restore()
        let intake = try bench.intake()
        try await eventually("the three") { bench.store.entries.map(\.id) == Array(Self.ids[..<5]) }
        #expect(intake.metrics.rewinds.value == 1)
        #expect(intake.metrics.rewoundRecords.value == 3)
        #expect(bench.store.timesBehind == 1)
        try await intake.stopped()
    }

    @Test func `A database that is empty though the group had committed gets every record that Kafka has`() async throws {
        let bench = try await bench()
        let empty = IntakeBench(cluster: bench.cluster, store: FakeStore())
        let intake = try empty.intake()
        try await eventually("all five") { empty.store.entries.map(\.id) == Array(Self.ids[..<5]) }
        try await intake.stopped()
    }

    @Test func `While the intake runs and nothing new comes, a new connection is enough`() async throws {
        let bench = try await bench()
        let intake = try bench.intake()
        try await eventually("an assignment") { intake.metrics.partitions.value == 1 }
        bench.store.restore()
        try await eventually("the three") { bench.store.entries.map(\.id) == Array(Self.ids[..<5]) }
        try await intake.stopped()
    }

    @Test func `While the intake runs, a record that comes next is stored after those that the database lacks`() async throws {
        let bench = try await bench()
        let intake = try bench.intake()
        try await eventually("an assignment") { intake.metrics.partitions.value == 1 }
        bench.store.restore(silently: true)
        try await bench.write(["5"])
        try await eventually("all, in order") { bench.store.entries.map(\.id) == Self.ids }
        try await intake.stopped()
    }

    @Test func `Positions that fall on the same connections were moved by another hub, and the database was not restored`() async throws {
        let bench = try await bench()
        let intake = try bench.intake()
        try await eventually("an assignment") { intake.metrics.partitions.value == 1 }
        try await bench.write(["5"])
        try await eventually("one more") { bench.store.entries.map(\.id) == Self.ids }
        bench.store.restore(silently: true)
        try await bench.write(["6"])
        try await eventually("all, in order") { bench.store.entries.map(\.id) == Self.ids + ["6"] }
        #expect(bench.store.timesBehind == 0)
        bench.store.restore()
        try await eventually("all again") { bench.store.entries.map(\.id) == Self.ids + ["6"] }
        #expect(bench.store.timesBehind == 1)
        try await intake.stopped()
    }

    @Test func `Out of a pause, too, nothing is missing`() async throws {
        let bench = try await bench()
        let intake = try bench.intake()
        try await eventually("an assignment") { intake.metrics.partitions.value == 1 }
        bench.store.become(.away)
        try await bench.write(["5"])
        try await eventually("the pause") { intake.metrics.paused.value == 1 }
        bench.store.restore()
        bench.store.become(.up)
        try await eventually("all, in order") { bench.store.entries.map(\.id) == Self.ids }
        #expect(intake.metrics.rewoundRecords.value == 3)
        try await intake.stopped()
    }

    @Test func `A topic made anew below a higher position in the database is read from its beginning`() async throws {
        let bench = try await bench()
        // Another cluster: neither the topic nor the group's offsets are those of before.
        let anew = try IntakeBench(store: bench.store)
        try await anew.write(["a", "b"])
        let intake = try anew.intake()
        try await eventually("both") { anew.store.ids(startingWith: "a") + anew.store.ids(startingWith: "b") == ["a", "b"] }
        #expect(intake.metrics.rewinds.value == 0)
        #expect(anew.store.timesBehind == 0)
        try await intake.stopped()
    }
}

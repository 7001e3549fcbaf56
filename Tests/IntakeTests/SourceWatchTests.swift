import HangGuard
import Kafka
import Linux
import Messaging
import Testing

@testable import Intake

/// When a hub says that nothing of a source waits, and what it makes of the answers.
@Suite("Silent sources", .guarded) struct SourceWatchTests {
    private static let beats = TopicPartition("__debezium-heartbeat.p", 0)
    private static let rows = TopicPartition("p.app.review", 1)
    private let start = MonotonicInstant.now
    private var watch: SourceWatch

    init() {
        watch = SourceWatch(SourceWatch.Limits(silentAfter: .seconds(30)), group: "hub", now: start)
    }

    private func state(age: Int, silence: Int? = nil, on place: TopicPartition = beats) -> SourceState {
        SourceState(
            name: "p", topic: place.topic, partition: place.partition, age: .seconds(age), silence: silence.map { .seconds($0) })
    }

    private mutating func report(
        at seconds: Int, held: Set<TopicPartition> = [beats, rows], isReading: Bool = true,
        lag: [TopicPartition: Int64] = [beats: 0, rows: 0]
    ) -> SourceReport? {
        watch.report(held: held, isReading: isReading, lag: { lag[$0] }, now: start + .seconds(seconds))
    }

    /// The watch knows the source, and has reached the end of its partitions.
    private mutating func known(age: Int = 0) {
        _ = report(at: 0)
        _ = watch.answered([state(age: age)], now: start)
        for partition in [Self.beats, Self.rows] { watch.reach(partition) }
    }

    @Test mutating func `What was heard is told once, and a heartbeat's partition counts more than a table's`() {
        _ = watch.hear("p", isHeartbeat: true, on: Self.beats, now: start)
        _ = watch.hear("p", isHeartbeat: false, on: Self.rows, now: start)
        let heard = HeardSource(name: "p", topic: Self.beats.topic, partition: 0, isHeartbeat: true)
        #expect(report(at: 0)?.heard == [heard])
        #expect(report(at: 1) == nil, "one report at a time")
        watch.notAnswered()
        #expect(report(at: 2)?.heard == [heard], "the database was away")
        _ = watch.answered([state(age: 0)], now: start)
        #expect(report(at: 2) == nil, "too early")
        #expect(report(at: 3)?.heard == [])
    }

    @Test mutating func `Only a hub that has read all of the partition says so`() {
        known(age: 60)
        #expect(report(at: 1)?.read == ["p"])
        _ = watch.answered([state(age: 61)], now: start)
        let lagging = report(at: 2, lag: [Self.beats: 0, Self.rows: 3])
        #expect(lagging?.read == [] && lagging?.waiting == ["p"], "a record of a table waits")
        _ = watch.answered([state(age: 62)], now: start)
        let elsewhere = report(at: 3, held: [Self.rows])
        #expect(elsewhere?.read == [] && elsewhere?.waiting == [], "another hub has the heartbeats")
        _ = watch.answered([state(age: 63)], now: start)
        let paused = report(at: 4, isReading: false)
        #expect(paused?.read == [] && paused?.waiting == ["p"])
    }

    @Test mutating func `After a rebalance the end of the partition must be known anew`() {
        known(age: 60)
        watch.forget([Self.beats])
        #expect(report(at: 1)?.waiting == ["p"], "what the client knew of the end is old")
        _ = watch.answered([state(age: 61)], now: start)
        watch.reach(Self.beats)
        #expect(report(at: 2)?.read == ["p"])
    }

    @Test mutating func `After an outage of the brokers or the database there is time for what waits`() {
        known(age: 60)
        watch.unsettle(now: start + .seconds(1))
        #expect(report(at: 2)?.waiting == ["p"])
        _ = watch.answered([state(age: 62)], now: start)
        pass(3...6)
        #expect(report(at: 7)?.read == ["p"])
    }

    @Test mutating func `A process that stood still reads what came meanwhile before it judges`() {
        known(age: 60)
        #expect(report(at: 10)?.waiting == ["p"])
        _ = watch.answered([state(age: 60)], now: start)
        pass(11...14)
        #expect(report(at: 15)?.read == ["p"])
    }

    /// A report and its answer every second.
    private mutating func pass(_ seconds: ClosedRange<Int>) {
        for second in seconds {
            _ = report(at: second)
            _ = watch.answered([state(age: 60 + second)], now: start + .seconds(second))
        }
    }

    @Test mutating func `A source that this hub has just heard is not called silent, whatever a restored database says`() {
        known()
        _ = watch.hear("p", isHeartbeat: true, on: Self.beats, now: start + .seconds(1))
        _ = report(at: 1)
        _ = watch.answered([state(age: 3_600)], now: start)
        #expect(report(at: 2)?.read == [])
        pass(3...31)
        #expect(report(at: 32)?.read == ["p"])
    }

    @Test mutating func `Beginning and end are found once, also by a hub that starts meanwhile`() {
        let silent = state(age: 60, silence: 30)
        #expect(watch.answered([silent], now: start) == [.began(silent)])
        #expect(watch.answered([silent], now: start) == [])
        let again = state(age: 0)
        #expect(watch.answered([again], now: start) == [.ended(again, after: .seconds(30))])
        #expect(watch.answered([], now: start) == [.forgotten(name: "p")])
    }

    @Test mutating func `Ages grow while the database is away`() {
        _ = watch.answered([state(age: 2)], now: start)
        #expect(watch.ages(now: start + .seconds(3)).map(\.age) == [.seconds(5)])
    }

    @Test mutating func `There is a bound of sources, and it is told once`() {
        for number in 0..<100 { #expect(watch.hear("s\(number)", isHeartbeat: false, on: Self.rows, now: start) == nil) }
        #expect(watch.hear("more", isHeartbeat: false, on: Self.rows, now: start) == .tooMany(name: "more"))
        #expect(watch.hear("most", isHeartbeat: false, on: Self.rows, now: start) == nil)
        #expect(report(at: 0)?.heard.count == 100)
        #expect(watch.hear(String(repeating: "x", count: 256), isHeartbeat: false, on: Self.rows, now: start) == nil)
    }
}

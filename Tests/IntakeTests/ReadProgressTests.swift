import HangGuard
import Kafka
import Testing

@testable import Intake

/// What is missing between what was read, and how much is left to read.
@Suite(.guarded) struct ReadProgressTests {
    private let a = TopicPartition("events", 0)

    private func records(_ offsets: Int64...) -> ArraySlice<KafkaRecord> {
        offsets.map { KafkaRecord(topic: "events", partition: 0, offset: $0, value: [1]) }[...]
    }

    @Test func `A gap is nothing by itself, and a loss when Kafka has nothing any more where it begins`() {
        var progress = ReadProgress()
        progress.begin(a, at: 5)
        #expect(progress.read(records(5, 6, 8), low: { _ in 0 }) == [])
        #expect(progress.read(records(10), low: { _ in 9 }) == [], "the record at 9 was a marker")
        #expect(progress.read(records(11, 40), low: { _ in 40 }) == [.removed(a, from: 12, to: 40)])
        #expect(progress.read(records(50), low: { _ in 45 }) == [.removed(a, from: 41, to: 45)])
        #expect(progress.read(records(60), low: { _ in nil }) == [])
    }

    @Test func `Records that were removed before the first is read, and all that were left, are missed, too`() {
        var progress = ReadProgress()
        progress.begin(a, at: 100)
        #expect(progress.read(records(300), low: { _ in 300 }) == [.removed(a, from: 100, to: 300)])
        progress.begin(a, at: 400)
        #expect(progress.ended(a, at: 500, low: { _ in 500 }) == .removed(a, from: 400, to: 500))
        #expect(progress.ended(a, at: 501, low: { _ in 500 }) == nil, "a marker at the end")
        // Without a committed offset nothing is known to be missing.
        progress.begin(a, at: nil)
        #expect(progress.read(records(7), low: { _ in 7 }) == [])
    }

    @Test func `Lower offsets than before are a topic made anew`() {
        var progress = ReadProgress()
        progress.begin(a, at: 100)
        #expect(progress.read(records(0, 1), low: { _ in 0 }) == [.startedOver(a, at: 0, after: 100)])
        #expect(progress.read(records(2), low: { _ in 0 }) == [])
        #expect(progress.ended(a, at: 0, low: { _ in 0 }) == .startedOver(a, at: 0, after: 3))
        // Going back on purpose is none.
        progress.begin(a, at: 1)
        #expect(progress.read(records(1), low: { _ in 0 }) == [])
    }

    @Test func `Markers of transactions behind the last record are no lag`() {
        var progress = ReadProgress()
        progress.begin(a, at: 5)
        #expect(progress.lag(of: a, stored: nil, high: 9) == 4)
        _ = progress.read(records(5, 6), low: { _ in 0 })
        #expect(progress.lag(of: a, stored: nil, high: 9) == 4)
        #expect(progress.lag(of: a, stored: 6, high: 9) == 3)
        #expect(progress.lag(of: a, stored: 7, high: 8) == 1, "what follows may be a record")
        _ = progress.ended(a, at: 8, low: { _ in 0 })
        #expect(progress.lag(of: a, stored: 6, high: 8) == 2, "a record that was read is not stored")
        #expect(progress.lag(of: a, stored: 7, high: 8) == 0)
        #expect(progress.lag(of: a, stored: 7, high: 10) == 2)
        #expect(progress.lag(of: TopicPartition("events", 1), stored: nil, high: 10) == 0)
    }

    @Test func `What Kafka refuses is told once, and is over when it is allowed`() {
        let b = TopicPartition("events", 1)
        var refusals = Refusals()
        #expect(refusals.isEmpty)
        #expect(refusals.refused(a) && !refusals.refused(b) && !refusals.refused(a))
        #expect(refusals.refused(nil) && !refusals.refused(nil))
        #expect(refusals.count == 2)
        #expect(!refusals.allowed("other") && refusals.allowed("events"))
        #expect(refusals.count == 1)
        #expect(refusals.groupIsAllowed() && !refusals.groupIsAllowed())
        #expect(refusals.isEmpty)
    }
}

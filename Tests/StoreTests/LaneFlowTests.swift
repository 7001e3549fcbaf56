import Bus
import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite(.guarded) struct LaneFlowTests {
    private let done = StoreReply.page([], head: Seq.zero, more: false)
    private let away = StoreReply.failed(.unavailable)
    private let ann: UserID
    private let shortage = PostgresError(sqlState: "53300", message: "failed")

    init() throws { ann = try user("ann") }

    private func acks(_ tokens: ClosedRange<UInt64>) -> [(UInt64, StoreRequest)] { tokens.map { ($0, ack) } }
    private var ack: StoreRequest { .move(ann, .inbox(ann), .delivered(Seq(1)), session: "s") }
    private func entry(_ id: String, by sender: UserID? = nil) -> StoreRequest {
        .append(draft(.inbox(ann), id, sender: sender ?? ann))
    }
    private var open: StoreRequest { .open(ann, with: ann, context: nil, most: 1) }

    private func connected(_ lane: LaneName, claims: Bool = false, _ adjust: (inout LaneFlow.Limits) -> Void = { _ in }) -> LaneDialogue {
        var lane = LaneDialogue(lane, claims: claims) { limits in
            // Nothing is gathered: LaneGatheringTests.
            limits.gatheringStream = .zero
            adjust(&limits)
        }
        _ = lane.ask(.connected(.first))
        return lane
    }

    // MARK: Transactions

    @Test func `Orders that were handed in together share a transaction, and what comes meanwhile is the next one`() {
        var lane = connected(.cursors)
        #expect(lane.submit(acks(1...3)) == [.run(.acks, [1, 2, 3])])
        #expect(lane.submit(acks(4...5)) == [])
        #expect(lane.submit(acks(6...6)) == [])
        #expect(lane.commit(done) == [.answer(1, done), .answer(2, done), .answer(3, done), .run(.acks, [4, 5, 6])])
        #expect(lane.commit(done) == [.answer(4, done), .answer(5, done), .answer(6, done)])
        #expect(lane.clock.running.isEmpty)
    }

    @Test func `A transaction takes as many orders as its operation's capacity, and the operations of a lane take turns`() {
        var lane = connected(.entries) { $0.ordersOfUser = 2_000 }
        #expect(lane.submit([(0, entry("0"))]) == [.run(.entries, [0])])
        let users = (0...1_500).map { UserID("u\($0)")! }
        _ = lane.submit((1...1_500).map { ($0, entry("\($0)", by: users[Int($0)])) } + [(2_000, open), (2_001, open)])
        #expect(lane.commit(done) == [.answer(0, done), .run(.conversations, [2_000, 2_001])])
        #expect(lane.commit(done).last == .run(.entries, Array(1...1_000)))
        #expect(lane.commit(done).last == .run(.entries, Array(1_001...1_500)))
    }

    @Test func `What a batch leaves is carried out by the operation's successor, and events are published before the answers`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...3))
        let outcome = BatchOutcome(events: [.withdrawn(.inbox(ann), from: ann)], replies: [done], left: [0, 2])
        #expect(lane.end(.committed(outcome)) == [.publish(1), .answer(2, done), .run(.cursors, [1, 3])])
        #expect(lane.commit(done) == [.answer(1, done), .answer(3, done)])
    }

    @Test func `The end of another transaction than the one in flight changes nothing`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...1))
        let outcome = BatchOutcome(replies: [done])
        #expect(lane.tell(.finished(transaction: 7, .committed(outcome))) == [])
        #expect(lane.commit(done) == [.answer(1, done)])
        #expect(lane.tell(.finished(transaction: lane.transaction, .committed(outcome))) == [])
    }

    // MARK: Failures of a transaction

    @Test func `An order that the database refuses is found by halving, and the others are carried out`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...4))
        #expect(lane.fail("22000") == [.run(.acks, [1, 2])])
        #expect(lane.commit(done) == [.answer(1, done), .answer(2, done), .run(.acks, [3, 4])])
        #expect(lane.fail("22000") == [.run(.acks, [3])])
        #expect(lane.fail("22000") == [.probe])
        #expect(lane.commit(done) == [.note(.poisonous), .answer(3, .failed(.refused("22000: failed"))), .run(.acks, [4])])
        #expect(lane.commit(done) == [.answer(4, done)])
    }

    @Test func `An order is not blamed while the database refuses a write that is known to be good`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        #expect(lane.fail("54000") == [.run(.acks, [1])])
        #expect(lane.fail("54000") == [.probe])
        let limit = PostgresError(sqlState: "54000", message: "failed")
        #expect(lane.fail("54000") == [.note(.failed(limit))])
        #expect(lane.clock.running == [.rest, .expiry])
        #expect(lane.submit(acks(3...3)) == [])
        // The database accepts writes again.
        #expect(lane.ask(.timer(.rest)) == [.run(.acks, [1])])
        #expect(lane.commit(done) == [.answer(1, done), .run(.acks, [2])])
        #expect(lane.commit(done) == [.answer(2, done), .run(.acks, [3])])
    }

    @Test func `Orders wait no longer than they may for a database that refuses every write`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        _ = lane.fail("54000")
        _ = lane.fail("54000")
        _ = lane.fail("54000")
        lane.clock.pass(.seconds(6))
        #expect(lane.ask(.timer(.expiry)) == [.note(.impatient(count: 2)), .answer(2, away), .answer(1, away)])
    }

    @Test func `Entries that the database refuses together with the probe are answered as unavailable, and not as refused`() {
        var lane = connected(.entries)
        _ = lane.submit([(1, entry("1"))])
        _ = lane.submit([(2, entry("2"))])
        #expect(lane.fail("54000") == [.probe])
        let limit = PostgresError(sqlState: "54000", message: "failed")
        #expect(lane.fail("54000") == [.note(.failed(limit)), .answer(1, away), .answer(2, away)])
    }

    @Test func `An order whose probe is interrupted waits, and runs again`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...1))
        #expect(lane.fail("54000") == [.probe])
        #expect(lane.ask(.disconnected) == [])
        #expect(lane.ask(.connected(.first)) == [.run(.acks, [1])])
        #expect(lane.fail("54000") == [.probe])
        #expect(lane.ask(.close) == [.answer(1, away)])
    }

    @Test func `A lane that only reads refuses an order without a probe`() {
        var lane = connected(.reads)
        #expect(lane.submit([(1, .page(.inbox(ann), after: nil, before: nil, limit: 9))]) == [.run(.pages, [1])])
        #expect(lane.fail("22000") == [.note(.poisonous), .answer(1, .failed(.refused("22000: failed")))])
    }

    @Test func `Halves run before orders that came later`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        _ = lane.submit(acks(3...3))
        #expect(lane.fail("23505") == [.run(.acks, [1])])
        #expect(lane.commit(done).last == .run(.acks, [2]))
        #expect(lane.commit(done).last == .run(.acks, [3]))
    }

    @Test func `Rows that are not understood are searched like a refused order`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        #expect(lane.end(.misunderstood) == [.note(.misunderstood), .run(.acks, [1])])
        #expect(
            lane.end(.misunderstood) == [
                .note(.misunderstood), .note(.poisonous), .answer(1, .failed(.refused("rows that are not understood"))), .run(.acks, [2]),
            ])
        // Fewer replies than orders are not understood either.
        #expect(lane.end(.committed(BatchOutcome(replies: []))).first == .note(.misunderstood))
    }

    @Test func `After a conflict a transaction runs again at once, but only so often`() {
        var lane = connected(.cursors) { $0.conflicts = 2 }
        _ = lane.submit(acks(1...2))
        #expect(lane.fail("40P01") == [.run(.acks, [1, 2])])
        #expect(lane.fail("40001") == [.run(.acks, [1, 2])])
        #expect(lane.fail("40001") == [.answer(1, away), .answer(2, away)])
    }

    @Test func `A server that is short of something is left alone for a while, longer each time, and the orders wait`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...1))
        var pauses: [Duration] = []
        for _ in 0..<3 {
            let deeds = lane.tell(.finished(transaction: lane.transaction, .failed(shortage, random: 0)))
            #expect(deeds.contains(.note(.failed(shortage))))
            for case .start(.rest, let pause) in deeds { pauses.append(pause) }
            #expect(lane.submit(acks(2...2)) == [])
            #expect(lane.ask(.timer(.rest)) == [.run(.acks, [1])])
        }
        #expect(pauses == [25, 50, 100].map { .milliseconds($0) })
        #expect(lane.commit(done) == [.answer(1, done), .run(.acks, [2, 2, 2])])
    }

    @Test func `Entries do not wait for a server that is slow: their client decides`() {
        var lane = connected(.entries)
        _ = lane.submit([(1, .ingest([draft(.inbox(ann), "1")], [])), (2, entry("2"))])
        let slow = PostgresError(sqlState: "57014", message: "failed")
        #expect(lane.fail("57014") == [.note(.failed(slow)), .answer(1, .failed(.tooSlow))])
        #expect(lane.ask(.timer(.rest)) == [.run(.entries, [2])])
        #expect(lane.fail("57014") == [.note(.failed(slow)), .answer(2, away)])
        // The transaction was rolled back, so there is nothing to look up.
        #expect(lane.submit([(3, entry("3"))]) == [])
        #expect(lane.ask(.timer(.rest)) == [.run(.entries, [3])])
    }

    @Test func `Tables that are missing are reported, and the connection is made anew`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...1))
        #expect(lane.fail("42P01") == [.reportMissingSchema, .disconnect])
        #expect(lane.ask(.disconnected) == [])
        #expect(lane.ask(.connected(.first)) == [.run(.acks, [1])])
        #expect(lane.fail("25006") == [.disconnect], "a standby is not a missing schema")
    }

    // MARK: The database is away

    @Test func `Orders that may wait do so until the database is there, or their time is over`() {
        var lane = LaneDialogue(.cursors) { $0.longestWait = .milliseconds(150) }
        #expect(lane.submit(acks(1...1)) == [])
        lane.clock.pass(.milliseconds(60))
        #expect(lane.submit(acks(2...2)) == [])
        #expect(lane.timer() == [])
        #expect(lane.timer() == [.note(.impatient(count: 1)), .answer(1, away)])
        #expect(lane.ask(.connected(.first)) == [.run(.acks, [2])])
        #expect(lane.timer() == [], "the last look finds a connection, and is not repeated")
        #expect(lane.clock.running == [.answer])
    }

    @Test func `Orders that may not wait are answered at once`() {
        var lane = LaneDialogue(.entries)
        #expect(lane.submit([(1, entry("1")), (2, open)]) == [.answer(1, away)])
        #expect(lane.ask(.connected(.first)) == [.run(.conversations, [2])])
        _ = lane.submit([(3, entry("3"))])
        #expect(lane.ask(.disconnected) == [.answer(3, away)])
    }

    @Test func `What was in flight when the connection broke runs again before everything else, and is marked as unsettled`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        _ = lane.submit(acks(3...3))
        #expect(lane.ask(.disconnected) == [])
        #expect(lane.ask(.connected(.first)) == [.run(.acks, [1, 2])])
        guard case .orders(_, let orders)? = lane.task else { return #expect(Bool(false)) }
        #expect(orders.allSatisfy { $0.unsettled && !$0.isSlow })
        #expect(lane.commit(done).last == .run(.acks, [3]))
    }

    @Test func `A transaction without an answer means a dead connection`() {
        var lane = connected(.entries) { $0.longestWait = .seconds(20) }
        _ = lane.submit([(1, .ingest([draft(.inbox(ann), "1")], []))])
        #expect(lane.clock.running == [.answer])
        #expect(lane.timer() == [.disconnect])
        #expect(lane.commit(done) == [.answer(1, done)], "an answer that was on its way")
        _ = lane.ask(.disconnected)
        _ = lane.ask(.connected(.first))
        _ = lane.submit([(2, .ingest([draft(.inbox(ann), "2")], []))])
        #expect(lane.timer() == [.disconnect])
        #expect(lane.ask(.disconnected) == [])
        lane.clock.pass(.seconds(20))
        #expect(lane.timer() == [.note(.impatient(count: 1)), .answer(2, .failed(.tooSlow))])
    }

    @Test func `Entries given up with an unknown end are looked up when the database is back, before anything else runs`() {
        var lane = connected(.entries) { $0.longestWait = .milliseconds(50) }
        _ = lane.submit([(1, entry("a")), (2, entry("b"))])
        _ = lane.ask(.disconnected)
        #expect(lane.timer() == [.note(.impatient(count: 2)), .answer(1, away), .answer(2, away)])
        _ = lane.submit([(3, open)])
        #expect(lane.ask(.connected(.first)) == [.recall(["a", "b"])])
        // The search is repeated until it has an answer.
        #expect(lane.fail("53300") == [])
        #expect(lane.ask(.timer(.rest)) == [.recall(["a", "b"])])
        let found = BatchOutcome(events: [.withdrawn(.inbox(ann), from: ann)], replies: [])
        #expect(lane.end(.committed(found)) == [.publish(1), .run(.conversations, [3])])
    }

    @Test func `Entries that were committed, and whose rows were not understood, are looked up too`() {
        var lane = connected(.entries)
        _ = lane.submit([(1, entry("a"))])
        #expect(
            lane.end(.misunderstood) == [
                .note(.misunderstood), .note(.poisonous), .answer(1, .failed(.refused("rows that are not understood"))), .recall(["a"]),
            ])
        // Rows of the search itself that are not understood end it.
        #expect(lane.end(.misunderstood) == [.note(.misunderstood)])
    }

    @Test func `A key that the database cannot even look for is not looked for again`() {
        var lane = connected(.entries) { $0.longestWait = .zero }
        _ = lane.submit([(1, entry("a"))])
        _ = lane.ask(.disconnected)
        _ = lane.timer()
        #expect(lane.ask(.connected(.first)) == [.recall(["a"])])
        #expect(lane.fail("22021") == [])
        #expect(lane.ask(.timer(.rest)) == [])
    }

    @Test func `A search for entries that finds no tables has them made`() {
        var lane = connected(.entries) { $0.longestWait = .zero }
        _ = lane.submit([(1, entry("a"))])
        _ = lane.ask(.disconnected)
        _ = lane.timer()
        #expect(lane.ask(.connected(.first)) == [.recall(["a"])])
        #expect(lane.fail("42P01") == [.reportMissingSchema, .disconnect])
    }

    // MARK: The only hub

    @Test func `The lock of the only hub is asked for before anything else, and again after each new connection`() {
        var lane = LaneDialogue(.entries, claims: true)
        #expect(lane.ask(.connected(.first)) == [.claim])
        #expect(lane.submit([(1, entry("1"))]) == [])
        #expect(lane.end(.claimed(true)) == [.run(.entries, [1])])
        _ = lane.commit(done)
        _ = lane.ask(.disconnected)
        #expect(lane.ask(.connected(.first)) == [.claim])
    }

    @Test func `Another hub is reported once, and its lock is asked for again until it has gone`() {
        var lane = LaneDialogue(.entries, claims: true)
        _ = lane.ask(.connected(.first))
        #expect(lane.end(.claimed(false)) == [.note(.otherHub)])
        #expect(lane.submit([(1, entry("1"))]) == [.run(.entries, [1])], "it serves all the same")
        #expect(lane.ask(.timer(.claim)) == [])
        #expect(lane.commit(done) == [.answer(1, done), .claim])
        #expect(lane.end(.claimed(false)) == [])
        #expect(lane.timer() == [.claim])
        #expect(lane.end(.claimed(true)) == [.note(.noOtherHub)])
        // A hub that comes later is noticed by the one that was first.
        #expect(lane.timer() == [.claim])
        #expect(lane.end(.claimed(false)) == [.note(.otherHub)])
    }

    // MARK: Closing

    @Test func `Closing answers everything, stops every timer, and begins nothing any more`() {
        var lane = connected(.cursors)
        _ = lane.submit(acks(1...2))
        _ = lane.fail("22000")
        _ = lane.submit(acks(3...3))
        #expect(lane.ask(.close) == [.answer(1, away), .answer(2, away), .answer(3, away)])
        #expect(lane.clock.running.isEmpty)
        #expect(lane.submit(acks(4...4)) == [.answer(4, away)])
        #expect(lane.ask(.connected(.first)) == [] && lane.ask(.disconnected) == [] && lane.ask(.close) == [])
        #expect(lane.clock.running.isEmpty)
    }
}

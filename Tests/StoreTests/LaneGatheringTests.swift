import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite("Acknowledgements of many users share transactions", .guarded)
struct LaneGatheringTests {
    private let done = StoreReply.page([], head: Seq.zero, more: false)
    private let ann: UserID

    init() throws { ann = try user("ann") }

    private func acks(_ tokens: ClosedRange<UInt64>) -> [(UInt64, StoreRequest)] {
        tokens.map { ($0, .move(ann, .inbox(ann), .delivered(Seq(1)), session: "s")) }
    }

    private var mark: StoreRequest { .move(ann, .inbox(ann), .read(.upTo(Seq(1))), session: "s") }

    /// A lane with a transaction in flight that carries out two acknowledgements.
    private func streaming() -> LaneDialogue {
        var lane = LaneDialogue(.cursors)
        _ = lane.ask(.connected(.first))
        #expect(lane.submit(acks(1...2)) == [.run(.acks, [1, 2])])
        return lane
    }

    @Test("in a stream they wait for others, and no longer than the timer")
    func stream() {
        var lane = streaming()
        #expect(lane.submit(acks(3...3)) == [])
        #expect(lane.commit(done) == [.answer(1, done), .answer(2, done)])
        #expect(lane.clock.running == [.gather])
        #expect(lane.submit(acks(4...5)) == [])
        #expect(lane.ask(.timer(.gather)) == [.run(.acks, [3, 4, 5])])
        #expect(lane.commit(done).count == 3)
        // The stream goes on, and ends when a transaction has had one of them only.
        #expect(lane.submit(acks(6...6)) == [])
        #expect(lane.ask(.timer(.gather)) == [.run(.acks, [6])])
        _ = lane.commit(done)
        #expect(lane.submit(acks(7...7)) == [.run(.acks, [7])])
    }

    @Test("those of a single user do not wait, nor do the first after a pause")
    func alone() {
        var lane = LaneDialogue(.cursors)
        _ = lane.ask(.connected(.first))
        for token: UInt64 in 1...3 {
            #expect(lane.submit(acks(token...token)) == [.run(.acks, [token])])
            _ = lane.commit(done)
        }
        lane = streaming()
        _ = lane.commit(done)
        lane.clock.pass(LaneFlow.Limits().gatheringStream)
        #expect(lane.submit(acks(3...3)) == [.run(.acks, [3])])
    }

    @Test("a mark does not wait for them, and holds them up no longer than its own transaction")
    func marks() {
        var lane = streaming()
        _ = lane.commit(done)
        #expect(lane.submit(acks(3...3)) == [])
        #expect(lane.submit([(4, mark)]) == [.run(.cursors, [4])])
        #expect(!lane.clock.running.contains(.gather))
        #expect(lane.commit(done) == [.answer(4, done)])
        #expect(lane.ask(.timer(.gather)) == [.run(.acks, [3])])
    }

    @Test("as many as make a good transaction do not wait")
    func enough() {
        var lane = streaming()
        _ = lane.commit(done)
        let enough = UInt64(LaneFlow.Limits().gatheredOrders)
        #expect(lane.submit(acks(3...(enough + 1))) == [])
        #expect(lane.submit(acks(1_000...1_000)).count == 1)
    }

    @Test("when the connection breaks or the store stops, nobody waits for the timer")
    func broken() {
        var lane = streaming()
        _ = lane.commit(done)
        #expect(lane.submit(acks(3...3)) == [])
        _ = lane.ask(.disconnected)
        #expect(!lane.clock.running.contains(.gather))
        #expect(lane.ask(.connected(.first)) == [] || lane.task != nil)
        lane = streaming()
        _ = lane.commit(done)
        _ = lane.submit(acks(3...3))
        #expect(lane.ask(.close) == [.answer(3, .failed(.unavailable))])
        #expect(lane.clock.running.isEmpty)
    }
}

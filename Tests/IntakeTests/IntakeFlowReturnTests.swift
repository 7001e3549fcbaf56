import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// Dialogues with the machine about a database that lacks what had been stored in it.
@Suite(.guarded) struct IntakeFlowReturnTests: IntakeDialogue {
    private func behind(_ partition: TopicPartition, _ from: Int64, _ to: Int64) -> IntakeFlow.Action {
        .note(.behind(partition, from: from, to: to))
    }

    @Test func `At an assignment a database behind the committed offset sends the reader back, and nothing read before counts`() {
        var flow = IntakeFlow(limits: IntakeFlow.Limits(), group: "hub")
        #expect(flow.handle(.assigned([a, b], committed: [NextOffset(a, 5), NextOffset(b, 7)])) == [.check(token: 1, [a, b])])
        #expect(flow.handle(.read([good(a, 5)])) == [.submit(token: 2, [draft("0:5")], [position(a, 5, after: 4)])])
        #expect(flow.handle(.read([good(a, 6)])) == [])
        #expect(
            flow.handle(.answered(token: 1, .positions([position(a, 1), position(b, 6)]))) == [behind(a, 2, 5), .seek([NextOffset(a, 2)])])
        // Until the reader has returned, later records are not taken.
        #expect(flow.handle(.read([good(a, 7)])) == [])
        #expect(flow.handle(.sought([a])) == [])
        #expect(flow.handle(.answered(token: 2, .behind([position(a, 1)]))) == [.retry(after: .milliseconds(100))])
        #expect(flow.handle(.retryDue) == [])
        #expect(flow.handle(.read([good(a, 2)])) == [.submit(token: 3, [draft("0:2")], [position(a, 2, after: 1)])])
        _ = flow.handle(.answered(token: 3, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 3)])])
    }

    @Test func `A database ahead of the committed offset, or of another topic of the same name, changes nothing`() {
        var flow = IntakeFlow(limits: IntakeFlow.Limits(), group: "hub")
        #expect(flow.handle(.assigned([a, b], committed: [NextOffset(a, 5)])) == [.check(token: 1, [a])])
        #expect(flow.handle(.answered(token: 1, .positions([position(a, 900), position(b, 900)]))) == [])
        #expect(flow.handle(.read([good(b, 0)])) == [.submit(token: 2, [draft("1:0")], [position(b, 0)])])
    }

    @Test func `A partition that was committed and that the database has never heard of is read from its beginning`() {
        var flow = IntakeFlow(limits: IntakeFlow.Limits(), group: "hub")
        _ = flow.handle(.assigned([a], committed: [NextOffset(a, 5)]))
        #expect(flow.handle(.answered(token: 1, .positions([]))) == [behind(a, 0, 5), .seek([NextOffset(a, 0)])])
    }

    @Test func `Nothing was committed and nothing stored: there is nothing to ask`() {
        var flow = flow(holding: [a])
        #expect(flow.handle(.storeConnected) == [])
        #expect(flow.handle(.tick) == [])
    }

    @Test func `Each new connection to the database asks what it has, and what was stored meanwhile is not held against the answer`() {
        var flow = flow(holding: [a], committed: [NextOffset(a, 5)])
        #expect(flow.handle(.storeConnected) == [.check(token: 2, [a])])
        // Several connections come back one after the other: one question at a time.
        #expect(flow.handle(.storeConnected) == [])
        _ = flow.handle(.read([good(a, 5)]))
        _ = flow.handle(.answered(token: 3, stored(1)))
        #expect(flow.handle(.answered(token: 2, .positions([position(a, 4)]))) == [.check(token: 4, [a])])
        #expect(flow.handle(.answered(token: 4, .positions([position(a, 4)]))) == [behind(a, 5, 6), .seek([NextOffset(a, 5)])])
    }

    @Test func `A question that the store cannot answer is asked again at the next tick`() {
        var flow = flow(holding: [a], committed: [NextOffset(a, 5)])
        #expect(flow.handle(.storeConnected) == [.check(token: 2, [a])])
        #expect(flow.handle(.answered(token: 2, .failed(.unavailable))) == [])
        #expect(flow.handle(.tick) == [.check(token: 3, [a])])
        #expect(flow.handle(.storeFull(token: 3)) == [])
        #expect(flow.handle(.tick) == [.check(token: 4, [a])])
        _ = flow.handle(.stop)
        #expect(flow.handle(.answered(token: 4, .failed(.unavailable))) == [])
        #expect(flow.handle(.tick) == [])
    }

    @Test func `A batch that the database is not ready for is not stored: its partition returns, the others are submitted again`() {
        var flow = flow(holding: [a, b], committed: [NextOffset(a, 5), NextOffset(b, 7)])
        _ = flow.handle(.read([good(a, 5), good(b, 7)]))
        _ = flow.handle(.read([good(a, 6), good(b, 8)]))
        #expect(
            flow.handle(.answered(token: 2, .behind([position(a, 2), position(b, 6)]))) == [
                behind(a, 3, 5), .seek([NextOffset(a, 3)]), .submit(token: 3, [draft("1:7")], [position(b, 7, after: 6)]),
            ])
        _ = flow.handle(.sought([a]))
        #expect(deeds(flow.handle(.answered(token: 3, stored(1)))) == [.submit(token: 4, [draft("1:8")], [position(b, 8, after: 7)])])
    }

    @Test func `A reader that could not return is sent back at each tick until it has`() {
        var flow = flow(holding: [a], committed: [NextOffset(a, 5)])
        _ = flow.handle(.storeConnected)
        _ = flow.handle(.answered(token: 2, .positions([position(a, 2)])))
        #expect(flow.handle(.notSought([a])) == [])
        #expect(flow.handle(.read([good(a, 5)])) == [])
        #expect(flow.handle(.tick) == [.seek([NextOffset(a, 3)])])
        _ = flow.handle(.sought([a]))
        #expect(flow.handle(.tick) == [])
        #expect(flow.handle(.read([good(a, 3)])) == [.submit(token: 3, [draft("0:3")], [position(a, 3, after: 2)])])
    }

    @Test func `A partition that was taken away while the database was asked is left alone`() {
        var flow = flow(holding: [a], committed: [NextOffset(a, 5)])
        _ = flow.handle(.storeConnected)
        _ = flow.handle(.lost([a]))
        #expect(flow.handle(.answered(token: 2, .positions([]))) == [])
        #expect(flow.handle(.assigned([a], committed: [NextOffset(a, 3)])) == [.check(token: 3, [a])])
    }
}

/// Dialogues with the machine about partitions that another hub has.
@Suite(.guarded) struct IntakeFlowOwnerTests: IntakeDialogue {
    @Test func `The first batch after an assignment takes the partition over, and later ones do not`() {
        var flow = flow(holding: [a, b], committed: [NextOffset(a, 5)])
        #expect(flow.takesOver(position(a, 5)) && flow.takesOver(position(b, 0)))
        _ = flow.handle(.read([good(a, 5)]))
        #expect(flow.takesOver(position(a, 5)), "nothing is stored yet")
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(!flow.takesOver(position(a, 6)) && flow.takesOver(position(b, 0)))
        _ = flow.handle(.lost([a]))
        _ = flow.handle(.assigned([a], committed: [NextOffset(a, 9)]))
        #expect(flow.takesOver(position(a, 9)))
    }

    @Test func `A hub that still holds a partition after many refusals takes it over again`() {
        var flow = flow(holding: [a], committed: [NextOffset(a, 5)])
        _ = flow.handle(.read([good(a, 5)]))
        _ = flow.handle(.answered(token: 2, stored(1)))
        _ = flow.handle(.read([good(a, 6)]))
        var token: UInt64 = 3
        for _ in 0..<8 {
            #expect(!flow.takesOver(position(a, 6)))
            _ = flow.handle(.answered(token: token, .behind([position(a, 9)])))
            _ = flow.handle(.retryDue)
            token += 1
        }
        #expect(flow.takesOver(position(a, 6)))
        _ = flow.handle(.answered(token: token, stored(1)))
        #expect(!flow.takesOver(position(a, 7)))
    }
}

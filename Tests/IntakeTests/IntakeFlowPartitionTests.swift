import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// Dialogues with the machine about partitions that come and go, and about commits.
@Suite(.guarded) struct IntakeFlowPartitionTests: IntakeDialogue {
    @Test func `Partitions to be given up are released after the request under way and the commit, and their other records are forgotten`()
    {
        var flow = flow(holding: [a, b])
        _ = flow.handle(.read([good(a, 1), good(b, 1)]))
        _ = flow.handle(.read([good(a, 2), good(b, 2)]))
        #expect(flow.handle(.revoking([a])) == [])
        #expect(
            deeds(flow.handle(.answered(token: 1, stored(2))))
                == [.commit([NextOffset(a, 2)]), .release([a]), .submit(token: 2, [draft("1:2")], [position(b, 2, after: 1)])])
        #expect(flow.held == [b])
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(b, 3)])])
    }

    @Test func `Partitions without work under way are released at once`() {
        var flow = flow(holding: [a, b])
        #expect(flow.handle(.revoking([a])) == [.release([a])])
        _ = flow.handle(.read([good(b, 1)]))
        #expect(flow.handle(.assigned([a])) == [])
        #expect(flow.handle(.revoking([a])) == [.release([a])])
    }

    @Test func `A store that does not answer holds up a release only so long`() {
        var flow = flow(holding: [a]) { $0.timeoutTicks = 2 }
        _ = flow.handle(.read([good(a, 1)]))
        #expect(flow.handle(.revoking([a])) == [])
        #expect(flow.handle(.tick) == [])
        #expect(flow.handle(.tick) == [.release([a])])
        // The late answer is stored all right, but no longer this member's to commit.
        #expect(deeds(flow.handle(.answered(token: 1, stored(1)))) == [])
        #expect(flow.handle(.tick) == [])
    }

    @Test func `Lost partitions are neither committed nor retried`() {
        var flow = flow(holding: [a, b])
        _ = flow.handle(.read([good(a, 1), good(b, 1)]))
        _ = flow.handle(.lost([a]))
        _ = flow.handle(.answered(token: 1, .failed(.unavailable)))
        #expect(flow.handle(.retryDue) == [.submit(token: 2, [draft("1:1")], [position(b, 1)])])
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(b, 2)])])
    }

    @Test func `Partitions lost during a pause leave nothing paused behind: the next ones come unpaused and are kept so`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 1)]))
        _ = flow.handle(.answered(token: 1, .failed(.unavailable)))
        #expect(flow.isPaused)
        #expect(flow.handle(.lost([a])) == [])
        // Nothing is held: there is nothing to resume, and `isPaused` is all there was.
        #expect(deeds(flow.handle(.retryDue)) == [.resume([])])
        #expect(!flow.isPaused)
        #expect(flow.handle(.assigned([a])) == [])
        #expect(flow.handle(.read([good(a, 1)])) == [.submit(token: 2, [draft("0:1")], [position(a, 1)])])
    }

    @Test func `A pause ends with the first records that are stored, and the next trouble makes another one`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 1), good(a, 2), good(a, 3), good(a, 4)]))
        // The store refuses some record: the requests become one, one and two records.
        for token in 1...2 as ClosedRange<UInt64> { _ = flow.handle(.answered(token: token, .failed(.refused("no")))) }
        let pause = [IntakeFlow.Action.pause([a]), .retry(after: .milliseconds(100))]
        #expect(deeds(flow.handle(.answered(token: 3, .failed(.unavailable)))) == pause)
        #expect(flow.handle(.retryDue) == [.submit(token: 4, [draft("0:1")], [position(a, 1)])])
        #expect(deeds(flow.handle(.answered(token: 4, stored(1)))).first == .resume([a]))
        #expect(!flow.isPaused)
        #expect(deeds(flow.handle(.answered(token: 5, .failed(.unavailable)))) == pause)
    }

    @Test func `An answer that comes after a partition was lost is about other records: the rest is asked for again`() {
        var flow = flow(holding: [a, b])
        _ = flow.handle(.read([good(a, 1), good(b, 1)]))
        _ = flow.handle(.lost([a]))
        let one = StoredDraft(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), duplicate: false)
        #expect(deeds(flow.handle(.answered(token: 1, .partlyStored([nil, one])))) == [.retry(after: .milliseconds(100))])
        #expect(flow.handle(.retryDue) == [.submit(token: 2, [draft("1:1")], [position(b, 1)])])
    }

    @Test func `When all partitions with letters outstanding are lost, work goes on`() {
        var flow = flow(holding: [a, b])
        _ = flow.handle(.read([dead(a, 1), good(b, 1)]))
        #expect(flow.handle(.lost([a])) == [.submit(token: 2, [draft("1:1")], [position(b, 1)])])
    }

    @Test func `A partition that comes back is known only by what is read from then on`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 7)]))
        _ = flow.handle(.answered(token: 1, stored(1)))
        _ = flow.handle(.lost([a]))
        _ = flow.handle(.assigned([a]))
        #expect(flow.handle(.tick) == [])
        // A topic made anew starts over: the lower offset is committed.
        _ = flow.handle(.read([good(a, 0)]))
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 1)])])
    }

    @Test func `Offsets that restart within one assignment are followed`() {
        var flow = flow(holding: [a])
        _ = flow.handle(.read([good(a, 700)]))
        _ = flow.handle(.answered(token: 1, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 701)])])
        _ = flow.handle(.read([good(a, 0)]))
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 1)])])
    }

    @Test func `A commit that failed is asked for again, unless a newer one is under way`() {
        var flow = flow(holding: [a])
        let failure = KafkaError(kind: .other, name: "REBALANCE_IN_PROGRESS", message: "")
        _ = flow.handle(.read([good(a, 1)]))
        _ = flow.handle(.answered(token: 1, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 2)])])
        let refusal = CommitResult(next: NextOffset(a, 2), failure: failure)
        #expect(flow.handle(.committed([refusal])) == [.note(.commitFailed(refusal))])
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 2)])])
        #expect(flow.handle(.committed([CommitResult(next: NextOffset(a, 2), failure: nil)])) == [])
        #expect(flow.handle(.tick) == [])
        _ = flow.handle(.read([good(a, 2)]))
        _ = flow.handle(.answered(token: 2, stored(1)))
        #expect(flow.handle(.tick) == [.commit([NextOffset(a, 3)])])
        _ = flow.handle(.committed([refusal]))
        #expect(flow.handle(.tick) == [])
    }
}

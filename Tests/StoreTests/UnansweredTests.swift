import Bus
import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

/// Messages to somebody who never answered.
@Suite(.timeLimit(.minutes(2)), .guarded) struct UnansweredTests {
    private let bench: StoreBench
    private let (ann, bob): (UserID, UserID)
    private let talk: Channel

    init() async throws {
        bench = try await StoreBench().ready()
        (ann, bob) = (try user("ann"), try user("bob"))
        talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 9)).opened).channel
    }

    private func message(_ sender: UserID, _ id: String, most: Int = 3) -> StoreRequest {
        .append(draft(talk, id, source: "user:" + sender.name, sender: sender), mostUnanswered: most)
    }

    private func send(_ sender: UserID, _ ids: String..., most: Int = 3) async -> [UInt64?] {
        await bench.ask(ids.map { message(sender, $0, most: most) }).map { reply in
            if reply == .failed(.unanswered) { return nil }
            guard let seq = reply.seqs?.first else {
                Issue.record("\(reply)")
                return 0
            }
            return seq
        }
    }

    @Test func theMessageAfterTheLastThatIsAllowedIsRefusedUntilSomebodyAnswers() async throws {
        #expect(await send(ann, "1") == [1])
        #expect(await send(ann, "2") == [2])
        #expect(await send(ann, "3") == [3])
        #expect(await send(ann, "4") == [nil])
        #expect(await send(ann, "5", "6") == [nil, nil])
        #expect(try bench.entries(talk) == ["1:1", "2:2", "3:3"])
        #expect(await send(bob, "1") == [4])
        #expect(await send(ann, "4", "5", "6", "7", "8") == [5, 6, 7, 8, 9], "for good")
        #expect(await send(bob, "2", "3", "4", "5", "6") == [10, 11, 12, 13, 14], "for both")
        var announced: [Seq] = []
        for case .entries(let entries) in bench.bus.events { announced += entries.map(\.seq) }
        #expect(announced == (1...14).map { Seq($0) }, "refused messages are not announced")
    }

    @Test func theBoundHoldsWithinABatchAndAcrossHubs() async throws {
        #expect(await send(ann, "1", "2", "3", "4", "5") == [1, 2, 3, nil, nil])
        let second = try await StoreBench(bench.address).ready()
        #expect(await second.ask(message(ann, "6")) == .failed(.unanswered))
        #expect(await second.ask(message(bob, "1")).seqs == [4])
        #expect(await send(ann, "6") == [5])
    }

    @Test func anAnswerInTheSameBatchFreesTheMessagesAfterIt() async throws {
        let replies = await bench.ask(
            [("ann", "1"), ("ann", "2"), ("ann", "3"), ("ann", "4"), ("bob", "1"), ("ann", "5"), ("ann", "4")].map { sender, id in
                message(sender == "ann" ? ann : bob, id)
            })
        #expect(replies.map { $0.seqs?.first } == [1, 2, 3, nil, 4, 5, nil], "a repeat in the batch shares the first one's refusal")
        #expect(replies[3] == .failed(.unanswered) && replies[6] == .failed(.unanswered))
        #expect(await send(ann, "4") == [6])
    }

    @Test func aRepeatedSendGetsItsFirstAnswer() async throws {
        #expect(await send(ann, "1", "2", "2", "3") == [1, 2, 2, 3])
        #expect(await send(ann, "4") == [nil])
        #expect(await send(ann, "3", "4", "1") == [3, nil, 1])
        let again = try #require(await bench.ask(message(ann, "3")).stored?.first)
        #expect(again.duplicate && again.seq == Seq(3))
    }

    @Test func whoeverDidNotWriteFirstIsNotBounded() async throws {
        #expect(await send(bob, "1") == [1])
        #expect(await send(ann, "1", "2", "3", "4", "5") == [2, 3, 4, 5, 6])
    }

    @Test func zeroMeansAnyNumberAndTheCountGoesOn() async throws {
        #expect(await send(ann, "1", "2", "3", "4", "5", most: 0) == [1, 2, 3, 4, 5])
        #expect(await send(ann, "6", most: 6) == [6])
        #expect(await send(ann, "7", most: 6) == [nil])
    }

    @Test func editsDeletionsAndEventsDoNotCount() async throws {
        #expect(await send(ann, "1", "2") == [1, 2])
        for (kind, id) in [(EntryDraft.Kind.change, "c"), (.retraction, "r")] {
            let change = EntryDraft(
                channel: talk, source: "change:ann", id: id, kind: kind, eventType: "c", sender: ann, content: #""refers":1"#)
            #expect(await bench.ask(.change(change, of: Seq(1), to: kind == .change ? #""body":"b""# : nil)).seqs != nil)
        }
        #expect(await bench.ask(.ingest([draft(talk, "event")], [])).seqs == [5])
        #expect(await send(ann, "3") == [6])
        #expect(await send(ann, "4") == [nil], "neither was an answer")
        #expect(await bench.ask(.ingest([draft(talk, "event 2")], [])).seqs == [7], "the platform writes all the same")
    }

    @Test func anotherConversationHasItsOwnCount() async throws {
        let other = try #require(await bench.ask(.open(ann, with: bob, context: "c", most: 9)).opened).channel
        let replies = await bench.ask(
            (1...4).flatMap { n in
                [talk, other].map { .append(draft($0, "\(n)", sender: ann), mostUnanswered: 3) }
            })
        #expect(replies.map { $0.seqs?.first } == [1, 1, 2, 2, 3, 3, nil, nil])
    }

    @Test func aRefusalBecauseOfTheRightOrTheReplyComesFirst() async throws {
        #expect(await send(ann, "1", "2", "3") == [1, 2, 3])
        #expect(await bench.ask(message(try user("eve"), "1")) == .failed(.forbidden))
        var reply = draft(talk, "4", sender: ann)
        reply.replyTo = Seq(9)
        #expect(await bench.ask(.append(reply, mostUnanswered: 3)) == .failed(.noSuchEntry))
    }

    @Test func conversationsFromBeforeTheMigrationAreNotBounded() async throws {
        #expect(await send(ann, "1", "2", "3") == [1, 2, 3])
        let (sole, count) = (try bench.cell("select sole_sender from hub.channel"), try bench.cell("select unanswered from hub.channel"))
        #expect(sole == "ann" && count == "3")
        _ = try bench.query("alter table hub.channel drop sole_sender, drop unanswered")
        _ = try bench.query(try #require(Migration.all.first { $0.script.contains("sole_sender") }).script)
        #expect(await send(ann, "4", "5", "6", "7") == [4, 5, 6, 7])
        #expect(try bench.cell("select unanswered from hub.channel") == nil)
    }
}

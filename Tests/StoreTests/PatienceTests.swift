import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

/// Nobody waits longer than is allowed, whatever the database does.
@Suite(.timeLimit(.minutes(2)), .guarded) struct PatienceTests {
    private let ann: UserID
    private let done = StoreReply.page([], head: Seq.zero, more: false)
    private let away = StoreReply.failed(.unavailable)

    init() throws { ann = try user("ann") }

    private func entry(_ id: String) -> StoreRequest { .append(draft(.inbox(ann), id, sender: ann)) }
    private var state: StoreRequest { .state(ann, .inbox(ann), entitled: true) }
    private func states(_ tokens: ClosedRange<UInt64>) -> [(UInt64, StoreRequest)] { tokens.map { ($0, state) } }

    private func lane(_ name: LaneName) -> LaneDialogue {
        var lane = LaneDialogue(name) { $0.longestWait = .milliseconds(500) }
        _ = lane.ask(.connected(.first))
        return lane
    }

    // MARK: The lane

    @Test func ordersOfATransactionInFlightAreAnsweredAndItsEntriesAnnouncedLater() {
        var lane = lane(.entries)
        _ = lane.submit([(1, entry("a"))])
        lane.clock.pass(.milliseconds(200))
        _ = lane.submit([(2, entry("b"))])
        #expect(lane.timer() == [.note(.impatient(count: 1)), .answer(1, away)])
        #expect(lane.timer() == [.note(.impatient(count: 1)), .answer(2, away)])
        #expect(lane.timer() == [], "each once")
        let stored = BatchOutcome(events: [.withdrawn(.inbox(ann), from: ann)], replies: [done])
        #expect(lane.end(.committed(stored)) == [.publish(1)])
        #expect(lane.submit([(3, entry("c"))]) == [.run(.entries, [3])])
        #expect(lane.clock.running == [.answer])
    }

    @Test func ordersThatWereAnsweredAreNotTriedAgain() {
        var lane = lane(.cursors)
        let move = StoreRequest.move(ann, .inbox(ann), .seen(Seq(1)), session: "s")
        _ = lane.submit([(1, move), (2, move)])
        #expect(lane.timer() == [.note(.impatient(count: 2)), .answer(1, away), .answer(2, away)])
        _ = lane.submit([(3, move)])
        let lock = PostgresError(sqlState: "55P03", message: "failed")
        #expect(lane.fail("55P03") == [.note(.failed(lock))])
        #expect(lane.ask(.timer(.rest)) == [.run(.cursors, [3])])
        #expect(lane.commit(done) == [.answer(3, done)])
    }

    @Test(arguments: [true, false])
    func entriesThatMayHaveBeenStoredAfterTheirAnswerAreLookedUp(isMisunderstood: Bool) {
        var lane = lane(.entries)
        _ = lane.submit([(1, entry("a"))])
        #expect(lane.timer() == [.note(.impatient(count: 1)), .answer(1, away)])
        if isMisunderstood {
            #expect(lane.end(.misunderstood) == [.note(.misunderstood), .recall(["a"])])
        } else {
            #expect(lane.ask(.disconnected) == [])
            #expect(lane.ask(.connected(.first)) == [.recall(["a"])])
        }
    }

    @Test func onlyThoseAreAnsweredOfATransactionThatHaveWaitedLongEnough() {
        var lane = lane(.reads)
        _ = lane.submit(states(1...1))
        lane.clock.pass(.milliseconds(300))
        _ = lane.submit(states(2...2))
        lane.clock.pass(.milliseconds(150))
        _ = lane.submit(states(3...3))
        #expect(lane.commit(done) == [.answer(1, done), .run(.states, [2, 3])])
        lane.clock.pass(.milliseconds(400))
        #expect(lane.ask(.timer(.answer)) == [.note(.impatient(count: 1)), .answer(2, away)])
        #expect(lane.commit(done) == [.answer(3, done)])
    }

    @Test func whatAcksLeaveIsNotCarriedOutForAnswersThatWereGiven() {
        var lane = lane(.cursors)
        let ack = StoreRequest.move(ann, .inbox(ann), .delivered(Seq(1)), session: "s")
        _ = lane.submit([(1, ack)])
        lane.clock.pass(.milliseconds(300))
        _ = lane.submit([(2, ack), (3, ack)])
        _ = lane.commit(done)
        lane.clock.pass(.milliseconds(600))
        _ = lane.submit([(4, ack)])
        #expect(lane.ask(.timer(.answer)) == [.note(.impatient(count: 2)), .answer(2, away), .answer(3, away)])
        #expect(lane.end(.committed(BatchOutcome(replies: [done], left: [0]))) == [.run(.acks, [4])])
    }

    @Test func ordersBehindManyFastTransactionsWaitNoLongerEither() {
        var lane = lane(.reads)
        for token in 1...20 as ClosedRange<UInt64> {
            _ = lane.submit((1...20).map { (token * 100 + $0, .state(UserID("u\(token)-\($0)")!, .inbox(ann), entitled: true)) })
        }
        // The first look notes the time only.
        _ = lane.commit(done)
        lane.clock.pass(.milliseconds(600))
        let deeds = lane.commit(done)
        #expect(deeds.contains { if case .note(.impatient(let count)) = $0 { count > 100 } else { false } })
        #expect(!deeds.contains { if case .run = $0 { true } else { false } })
    }

    @Test func aSlowBatchOfReadsIsHalvedAndOneSlowReadIsGivenUp() {
        var lane = lane(.reads)
        let slow = LaneDialogue.Deed.note(.failed(PostgresError(sqlState: "57014", message: "failed")))
        _ = lane.submit(states(1...4))
        #expect(lane.fail("57014") == [slow, .run(.states, [1, 2])])
        #expect(lane.commit(done).last == .run(.states, [3, 4]))
        #expect(lane.fail("57014") == [slow, .run(.states, [3])])
        #expect(lane.fail("57014") == [slow, .answer(3, away), .run(.states, [4])])
        #expect(lane.commit(done) == [.answer(4, done)])
    }

    @Test func theIntakeIsAnsweredWhenItsTransactionEnds() {
        var lane = lane(.entries)
        _ = lane.submit([(1, .ingest([draft(.inbox(ann), "1")], []))])
        #expect(lane.timer() == [])
        #expect(lane.timer() == [])
        #expect(lane.commit(done) == [.answer(1, done)])
    }

    // MARK: A real lock

    @Test func aTableThatSomebodyElseLocksDelaysAnswersNoLongerThanOrdersWait() async throws {
        let bench = try await StoreBench(nil) { configuration in
            configuration.longestWait = .milliseconds(600)
            configuration.lockTimeout = .milliseconds(200)
        }.ready()
        let bob = try user("bob")
        let talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        let requests: [StoreRequest] = [
            .append(draft(talk, "1", sender: ann)), .open(ann, with: bob, context: nil, most: 100), .leave(bob, talk),
            .move(ann, talk, .delivered(Seq(1)), session: "s"), .state(ann, talk, entitled: false),
            .page(talk, after: .zero, before: nil, limit: 10), .snapshot(ann, broadcasts: [], asked: [], most: 9),
        ]
        let blocker = try BlockingConnection(bench.address, applicationName: "tests")
        try blocker.execute("begin; lock table hub.channel, hub.entry, hub.cursor, hub.member in access exclusive mode")
        for _ in 0..<3 {
            let began = MonotonicInstant.now
            let replies = await bench.ask(requests)
            #expect(replies.allSatisfy { $0 == away })
            #expect(MonotonicInstant.now - began < .seconds(5))
        }
        #expect(bench.store.statistics.connectionsLost.value == 0)
        try blocker.execute("rollback")
        var replies: [StoreReply] = []
        try await until {
            bench.store.statistics.waiting.value == 0
        }
        // The same orders again, as clients do. Those that were carried out after all change nothing.
        for request in requests {
            var reply = away
            while reply == away { reply = await bench.ask(request) }
            replies.append(reply)
        }
        #expect(replies[0].seqs == [1])
        #expect(replies[3].moved?.cursor.delivered == Seq(1))
        #expect(replies[5].page?.entries.count == 1)
        #expect(try bench.cell("select count(*) from hub.entry") == "1")
    }

    @Test func readsBehindASlowReadAreAnswered() async throws {
        let bench = try await StoreBench(nil) { $0.readTimeout = .milliseconds(300) }.ready()
        let names = try (0..<8).map { try user("u\($0)") }
        _ = await bench.ask(names.map { .ingest([draft(.inbox($0), "1")], []) })
        // Reading this user's cursor takes ten seconds.
        _ = try bench.query(
            """
            alter table hub.cursor rename to slow_cursor;
            create view hub.cursor as select c.* from hub.slow_cursor c
            where case when c.user_id = 'u3' then pg_sleep(10) is not null else true end;
            insert into hub.slow_cursor (user_id, channel_id) select 'u3', id from hub.channel where name = 'inbox:u3'
            """)
        let replies = await bench.ask(names.map { .state($0, .inbox($0), entitled: true) })
        for (name, reply) in zip(names, replies) {
            if name.name == "u3" { #expect(reply == away) } else { #expect(reply.state?.head == Seq(1)) }
        }
    }
}

/// A batch of the intake that is larger than a transaction may be.
@Suite(.timeLimit(.minutes(2)), .guarded) struct IngestSliceTests {
    @Test func aSliceIsBoundedInRowsAndInBytes() throws {
        let ann = try user("ann")
        func slices(_ sizes: [Int]) -> [Int] {
            let drafts = sizes.enumerated().map { draft(.inbox(ann), "\($0)", content: String(repeating: "x", count: $1)) }
            var stored = 0
            var counts: [Int] = []
            while stored < drafts.count {
                var order = PendingOrder(order: StoreOrder(request: .ingest(drafts, []), client: AskingNobody(), token: 0))
                order.stored = Array(repeating: nil, count: stored)
                let channels = EntryBatch([order], areIngested: true).count
                counts.append(channels)
                stored += channels
            }
            return counts
        }
        #expect(slices(Array(repeating: 9, count: 2_500)) == [1_000, 1_000, 500])
        #expect(slices(Array(repeating: 32_768, count: 70)) == [31, 31, 8])
        #expect(slices([5_000_000, 9, 5_000_000]) == [1, 1, 1])
    }

    @Test func aMessageWaitsForOneSliceAndThePositionComesWithTheLast() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        let text = String(repeating: "x", count: 32_000)
        let drafts = try (0..<600).map { draft(try inbox("u\($0 % 200)"), "\($0)", content: "\"title\":\"\(text)\"") }
        let whole = IngestPosition(group: "hub", topic: "t", partition: 0, offset: 7)
        async let ingested = bench.ask(.ingest(drafts, [whole]))
        try await until { bench.store.statistics.ingestSlices.value >= 2 }
        #expect(try bench.cell("select count(*) from hub.intake_position where topic = 't'") == "0")
        #expect(await bench.ask(.append(draft(talk, "1", sender: ann))).seqs == [1])
        #expect(bench.store.statistics.ingestSlices.value < 19, "the message did not wait for all slices")
        #expect(await ingested.seqs == (0..<600).map { UInt64($0 / 200 + 1) })
        #expect(try bench.cell("select position from hub.intake_position where topic = 't'") == "7")
        #expect(bench.bus.entries.count == 601)
        // Again, as after a crash of the hub: nothing is stored twice.
        let again = await bench.ask(.ingest(drafts, [whole]))
        #expect(again.stored?.allSatisfy(\.duplicate) == true)
        #expect(again.seqs == (0..<600).map { UInt64($0 / 200 + 1) })
    }

    @Test func whenASliceFailsTheOrderFailsAndARepeatStoresTheRest() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        var drafts = (0..<1_500).map { draft(ann, "\($0)") }
        drafts[1_400] = draft(ann, "1400", content: "no json")
        let reply = await bench.ask(.ingest(drafts, []))
        guard case .failed(.refused) = reply else { return #expect(Bool(false), "\(reply)") }
        #expect(try bench.cell("select count(*) from hub.entry") == "1000")
        drafts.remove(at: 1_400)
        let again = await bench.ask(.ingest(drafts, []))
        #expect(again.seqs == (1...1_499).map { $0 })
        #expect(again.stored?.count { $0.duplicate } == 1_000)
    }
}

private final class AskingNobody: StoreClient {
    func deliver(_ outcomes: [StoreOutcome]) {}
}

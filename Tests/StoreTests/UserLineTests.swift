import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

/// Orders of one user do not delay those of others.
@Suite(.guarded) struct UserLineTests {
    private final class Nobody: StoreClient {
        func deliver(_ outcomes: [StoreOutcome]) {}
    }
    private let nobody = Nobody()

    private func order(_ request: StoreRequest, _ token: UInt64 = 0, reader: UserID? = nil) -> PendingOrder {
        PendingOrder(order: StoreOrder(request: request, client: nobody, token: token, reader: reader))
    }

    private func state(_ user: UserID, _ token: UInt64 = 0) -> PendingOrder { order(.state(user, .inbox(user), entitled: true), token) }

    private func page(_ reader: UserID, _ token: UInt64) -> PendingOrder {
        order(.page(.inbox(reader), after: Seq(token), before: nil, limit: 50), token, reader: reader)
    }

    private func count(_ user: UserID?, in batch: [PendingOrder]) -> Int {
        batch.count { $0.order.user == user }
    }

    @Test func aUserWithManyOrdersTakesAShareAndTheOthersTakeTheirTurns() throws {
        let (eve, ann, bob) = (try user("eve"), try user("ann"), try user("bob"))
        var queue = OrderQueue()
        for token in 0..<400 { queue.append(state(eve, UInt64(token))) }
        queue.append(state(ann))
        queue.append(state(bob))
        #expect(queue.sort(States.self, ofUser: 512).isEmpty)
        let batch = queue.takeBatch(of: States.self)
        #expect(batch.count == States.share + 2)
        #expect(batch.prefix(3).map(\.order.user) == [eve, ann, bob])
        #expect(batch.filter { $0.order.user == eve }.map(\.order.token) == (0..<UInt64(States.share)).map { $0 })
        // Who comes later does not wait for the rest either.
        queue.append(state(ann))
        _ = queue.sort(States.self, ofUser: 512)
        #expect(queue.takeBatch(of: States.self).contains { $0.order.user == ann })
    }

    @Test func turnsCountWeightAndNotOrders() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var queue = OrderQueue()
        for token in 1...40 as ClosedRange<UInt64> {
            queue.append(order(.page(.inbox(eve), after: Seq(token), before: nil, limit: 100), token, reader: eve))
        }
        for token in 1...40 as ClosedRange<UInt64> {
            queue.append(order(.page(.inbox(ann), after: Seq(token), before: nil, limit: 9), token, reader: ann))
        }
        _ = queue.sort(Pages.self, ofUser: 512)
        let batch = queue.takeBatch(of: Pages.self)
        #expect(count(eve, in: batch) == Pages.share / 101)
        #expect(count(ann, in: batch) == Pages.share / 10)
    }

    @Test func anOrderHeavierThanAShareIsCarriedOutNonetheless() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var queue = OrderQueue()
        for token in 1...10 as ClosedRange<UInt64> {
            queue.append(order(.page(.inbox(eve), after: Seq(token), before: nil, limit: 1_000), token, reader: eve))
        }
        queue.append(page(ann, 1))
        _ = queue.sort(Pages.self, ofUser: 512)
        var batches: [[PendingOrder]] = []
        while !queue.isEmpty { batches.append(queue.takeBatch(of: Pages.self)) }
        #expect(batches.map(\.count).reduce(0, +) == 11)
        #expect(batches[0].contains { $0.order.user == ann })
        #expect(batches.allSatisfy { count(eve, in: $0) <= 1 })
    }

    @Test func fewOrdersAreOneBatchInTheOrderOfTheirArrival() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var queue = OrderQueue()
        for token in 0..<UInt64(States.unsorted) { queue.append(state(token % 2 == 0 ? eve : ann, token)) }
        #expect(queue.sort(States.self, ofUser: 1).isEmpty)
        #expect(queue.takeBatch(of: States.self).map(\.order.token) == (0..<UInt64(States.unsorted)).map { $0 })
    }

    @Test func moreOrdersOfAUserThanMayWaitAreHandedBackTheNewestFirst() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var queue = OrderQueue()
        for token in 0..<100 { queue.append(state(eve, UInt64(token))) }
        queue.append(state(ann, 200))
        #expect(queue.sort(States.self, ofUser: 90).map(\.order.token) == (90..<100).map { UInt64($0) })
        queue.append(state(eve, 101))
        #expect(queue.sort(States.self, ofUser: 90).map(\.order.token) == [101])
        // The hub's own orders are not bounded: the intake has one at a time, and must not lose it.
        var ingests = OrderQueue()
        for token in 0..<2_000 { ingests.append(order(.ingest([], []), UInt64(token))) }
        #expect(ingests.sort(Ingests.self, ofUser: 1).isEmpty)
    }

    @Test func aMarkUnreadThatMustWaitDelaysNobodyElse() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var queue = OrderQueue()
        queue.append(order(.move(eve, .inbox(eve), .read(.upTo(Seq(1))), session: "s"), 1))
        queue.append(order(.move(eve, .inbox(eve), .unread([Seq(1)]), session: "s"), 2))
        for token in 3..<300 { queue.append(order(.move(ann, .inbox(ann), .seen(Seq(1)), session: "s"), UInt64(token))) }
        _ = queue.sort(Cursors.self, ofUser: 512)
        let batch = queue.takeBatch(of: Cursors.self)
        #expect(batch.filter { $0.order.user == eve }.map(\.order.token) == [1])
        #expect(count(ann, in: batch) == Cursors.share)
        #expect(queue.takeBatch(of: Cursors.self).first { $0.order.user == eve }?.order.token == 2)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func nothingIsLostOrTakenTwiceAndEachUserIsServedInOrder(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let users = try (0..<7).map { try user("u\($0)") }
        var queue = OrderQueue()
        var token: UInt64 = 0
        var out: [PendingOrder] = []
        for _ in 0..<200 {
            for _ in 0..<Int.random(in: 0..<40, using: &random) {
                token += 1
                queue.append(page(random.chance(2) ? users[0] : random.pick(users), token))
            }
            out += queue.sort(Pages.self, ofUser: 40)
            if random.chance(20) { out += queue.removeAll { $0.order.token % 5 == 0 } }
            if !queue.isEmpty {
                let batch = queue.takeBatch(of: Pages.self)
                #expect(!batch.isEmpty)
                for user in users {
                    let tokens = batch.filter { $0.order.user == user }.map(\.order.token)
                    #expect(tokens == tokens.sorted())
                }
                out += batch
            }
        }
        while !queue.isEmpty, !random.chance(30) { out += queue.takeBatch(of: Pages.self) }
        out += queue.takeAll()
        #expect(queue.isEmpty)
        #expect(out.map(\.order.token).sorted() == (1...token).map { $0 })
    }

    // MARK: The lane

    @Test func aLaneAnswersWhatIsBeyondAUsersShareAtOnce() throws {
        let (eve, ann) = (try user("eve"), try user("ann"))
        var lane = LaneDialogue(.reads) { $0.ordersOfUser = 100 }
        _ = lane.ask(.connected(.first))
        _ = lane.submit([(1, .state(eve, .inbox(eve), entitled: true))])
        var deeds = lane.submit((2...201).map { ($0, .state(eve, .inbox(eve), entitled: true)) })
        #expect(deeds.first == .note(.overShare(eve, count: 100)))
        #expect(deeds.dropFirst() == (102...201).map { .answer($0, .failed(.unavailable)) }[...])
        deeds = lane.submit([(300, .state(ann, .inbox(ann), entitled: true))])
        #expect(deeds.isEmpty)
        let next = lane.commit(.failed(.forbidden)).last
        #expect(next == .run(.states, [2, 300] + (3..<UInt64(States.share) + 2).map { $0 }))
    }

    @Test func messagesOfUsersWaitForOneBatchOfTheIntakeAtMost() throws {
        let ann = try user("ann")
        var lane = LaneDialogue(.entries)
        _ = lane.ask(.connected(.first))
        let drafts = (0..<1_000).map { draft(.inbox(ann), "\($0)") }
        _ = lane.submit((1...5).map { ($0, .ingest(drafts, [])) } + [(9, .append(draft(.inbox(ann), "x", sender: ann)))])
        #expect(lane.commit(.stored([])) == [.answer(1, .stored([])), .run(.entries, [9])])
        #expect(lane.commit(.stored([])).last == .run(.ingests, [2]))
    }

    @Test func readsOfASessionThatHasEndedDoNotReachTheDatabase() throws {
        let ann = try user("ann")
        var lane = LaneDialogue(.reads)
        _ = lane.ask(.connected(.first))
        _ = lane.submit([(1, .state(ann, .inbox(ann), entitled: true))])
        _ = lane.submit((2...4).map { ($0, .state(ann, .inbox(ann), entitled: true)) })
        #expect(lane.ask(.cancel([1, 2, 4], of: ObjectIdentifier(nobody))).isEmpty, "tokens of another client")
        #expect(
            lane.ask(.cancel([1, 2, 4], of: lane.client)) == [.answer(2, .failed(.cancelled)), .answer(4, .failed(.cancelled))])
        #expect(lane.commit(.failed(.forbidden)) == [.answer(1, .failed(.forbidden)), .run(.states, [3])])
    }

    @Test func theStoreDropsCancelledReadsAndCarriesOutWrites() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        let blocker = try BlockingConnection(bench.address, applicationName: "tests")
        try blocker.execute("begin; lock table hub.channel in access exclusive mode")
        let client = Answers()
        func submit(_ token: UInt64, _ request: StoreRequest) {
            #expect(bench.store.submit([StoreOrder(request: request, client: client, token: token, reader: ann)]))
        }
        submit(1, .page(.inbox(ann), after: .zero, before: nil, limit: 9))
        submit(2, .move(ann, .inbox(ann), .delivered(Seq(1)), session: "s"))
        try await until {
            try bench.cell(
                "select count(*) from pg_stat_activity where application_name in ('hub reads', 'hub cursors') and wait_event_type = 'Lock' and datname = current_database()"
            ) == "2"
        }
        for token in 3...5 as ClosedRange<UInt64> { submit(token, .page(.inbox(ann), after: Seq(token), before: nil, limit: 9)) }
        submit(6, .move(ann, .inbox(ann), .seen(Seq(1)), session: "s"))
        bench.store.cancel([1, 2, 3, 4, 6], of: client)
        try await until { client.outcomes.count == 2 }
        #expect(client.outcomes.map(\.token) == [3, 4])
        #expect(client.outcomes.allSatisfy { $0.reply == .failed(.cancelled) })
        #expect(bench.store.statistics.ordersCancelled.value == 2)
        try blocker.execute("rollback")
        try await until { client.outcomes.count == 6 }
        #expect(try bench.cell("select delivered || '/' || seen from hub.cursor") == "1/1")
    }
}

/// Keeps what it is told.
private final class Answers: StoreClient {
    private let kept = Locked<[StoreOutcome]>([])
    var outcomes: [StoreOutcome] { kept.withLock { $0 } }
    func deliver(_ outcomes: [StoreOutcome]) { kept.withLock { $0 += outcomes } }
}

import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite(.guarded) struct StorePieceTests {
    @Test func aBatchIsFilledToItsCapacityAndNeverEmpty() throws {
        var queue = OrderQueue()
        for size in [400, 400, 400, 5_000, 1] { queue.append(try ingest(size)) }
        #expect(queue.takeBatch(of: Ingests.self).count == 2)
        #expect(queue.takeBatch(of: Ingests.self).count == 1)
        #expect(queue.takeBatch(of: Ingests.self).count == 1, "larger than a batch, and alone")
        #expect(queue.takeBatch(of: Ingests.self).count == 1)
        #expect(queue.isEmpty)
    }

    @Test func theQueueKeepsItsOrderWhileItIsFilledAndEmptied() throws {
        var queue = OrderQueue()
        var taken: [UInt64] = []
        for round in 0..<40 {
            for n in 0..<300 { queue.append(try move(.delivered(Seq(1)), token: UInt64(round * 300 + n))) }
            taken += queue.takeBatch(of: States.self).map(\.order.token)
        }
        #expect(taken == Array(0..<10_000))
        #expect(queue.removeAll { $0.order.token % 2 == 0 }.count == 1_000)
        let odd: [UInt64] = (10_000..<12_000).filter { $0 % 2 == 1 }
        #expect(queue.takeAll().map(\.order.token) == odd)
        #expect(queue.isEmpty)
    }

    @Test(arguments: [
        (CursorChange.read(.upTo(Seq(.max))), CursorChange.unread([Seq(1)]), false), (.read(.set([Seq(1)])), .unread([Seq(1)]), false),
        (.unread([Seq(1)]), .read(.upTo(Seq(.max))), true), (.delivered(Seq(1)), .unread([Seq(1)]), true),
        (.seen(Seq(1)), .unread([]), true),
        (.unread([Seq(1)]), .unread([Seq(2)]), true), (.read(.upTo(Seq(.max))), .read(.upTo(Seq(.max))), true),
    ])
    func aMarkUnreadDoesNotShareABatchWithAnEarlierRead(first: CursorChange, second: CursorChange, together: Bool) throws {
        var queue = OrderQueue()
        queue.append(try move(first))
        queue.append(try move(second))
        #expect(queue.takeBatch(of: Cursors.self).count == (together ? 2 : 1))
    }

    @Test func aReadOfAnotherUserDoesNotSplitTheBatch() throws {
        var queue = OrderQueue()
        queue.append(try move(.read(.upTo(Seq(.max))), by: "bob"))
        queue.append(try move(.unread([Seq(1)])))
        #expect(queue.takeBatch(of: Cursors.self).count == 2)
    }

    @Test(arguments: [Int64.min, -210_866_803_200_001, 9_224_318_016_000_000, .max])
    func timesOutOfTheDatabasesRangeBecomeTheNearestInIt(milliseconds: Int64) {
        let stored = Timestamp(milliseconds: milliseconds).stored.unixMilliseconds
        #expect(stored == (milliseconds < 0 ? -210_866_803_200_000 : 9_224_318_015_999_999))
    }

    @Test func numbersBeyondABigintAreClamped() {
        #expect(Seq(.max).stored == .max - 1)
        #expect(Seq(UInt64(Int64.max)).stored == .max - 1)
        #expect(Seq(7).stored == 7)
        #expect(Seq(stored: -1) == nil)
    }

    // MARK: Orders

    private final class Nobody: StoreClient {
        func deliver(_ outcomes: [StoreOutcome]) {}
    }

    private func ingest(_ count: Int) throws -> PendingOrder {
        let drafts = (0..<count).map { draft(.broadcast("system"), "\($0)") }
        return PendingOrder(order: StoreOrder(request: .ingest(drafts, []), client: Nobody(), token: 0))
    }

    private func move(_ change: CursorChange, by name: String = "ann", token: UInt64 = 0) throws -> PendingOrder {
        PendingOrder(
            order: StoreOrder(request: .move(try user(name), .broadcast("system"), change, session: "s"), client: Nobody(), token: token))
    }
}

@Suite("Store operations", .guarded)
struct OperationTests {
    @Test("each file's statements are prepared on its lane", arguments: Operation.allCases)
    func lanes(operation: Operation) {
        let prepared = operation.descriptor.lane.statements
        for statement in operation.descriptor.statements { #expect(prepared.contains(statement)) }
        #expect(operation.descriptor.successor.map { $0.descriptor.lane == operation.descriptor.lane } ?? true)
    }

    @Test("an order for a page that the batch already reads has weight 1")
    func samePage() {
        var filling = Pages.Filling()
        let page = StoreRequest.page(.broadcast("all"), after: Seq(3), before: nil, limit: 50)
        #expect(filling.weight(of: page) == 51)
        filling.add(page)
        #expect(filling.weight(of: page) == 1)
        #expect(filling.weight(of: .page(.broadcast("all"), after: Seq(4), before: nil, limit: 50)) == 51)
    }
}

@Suite("The listing of the store's SQL", .guarded)
struct StatementListingTests {
    @Test func holdsEveryStatementAsItIsPreparedAndSettingsWithoutAParameter() {
        let sections = StatementListing.text.split(separator: "-- name: ")
        let names = sections.map { $0.prefix { $0 != "\n" } }
        #expect(names.map(String.init) == ["session", "session"] + Statement.all.map(\.name))
        #expect(Set(names).count == names.count - 1)
        for statement in Statement.all {
            #expect(StatementListing.text.contains("-- name: \(statement.name)\n\(statement.sql)\n"))
        }
        #expect(!sections[0].contains("$") && sections[0].contains("('statement_timeout', '10000'), ('lock_timeout', '1500')"))
    }
}

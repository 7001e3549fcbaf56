import Bus
import Messaging
import Postgres
import StoreAPI
import TestKit

@testable import Store

/// A lane's flow with a clock that the test moves, and orders that are known by their tokens.
struct LaneDialogue {
    /// An action in short: orders are named by their tokens, drafts by their ids.
    enum Deed: Equatable {
        case run(Operation, [UInt64])
        case recall([String])
        case claim
        case probe
        case publish(Int)
        case answer(UInt64, StoreReply)
        case start(LaneFlow.Timer, Duration)
        case cancel(LaneFlow.Timer)
        case disconnect
        case reportMissingSchema
        case note(LaneNote)
    }

    private final class Nobody: StoreClient {
        func deliver(_ outcomes: [StoreOutcome]) {}
    }

    private let nobody = Nobody()
    var client: ObjectIdentifier { ObjectIdentifier(nobody) }
    private(set) var flow: LaneFlow
    var clock = MockClock<LaneFlow.Timer>()
    private(set) var transaction = 0
    private(set) var task: LaneTask?

    init(_ lane: LaneName, claims: Bool = false, _ adjust: (inout LaneFlow.Limits) -> Void = { _ in }) {
        var limits = LaneFlow.Limits()
        adjust(&limits)
        flow = LaneFlow(lane.operations, claimsDatabase: claims, limits: limits)
    }

    mutating func tell(_ event: LaneFlow.Event) -> [Deed] { flow.handle(event, now: clock.now).flatMap { deeds(of: $0) } }

    /// As `tell`, without the timers.
    mutating func ask(_ event: LaneFlow.Event) -> [Deed] {
        tell(event).filter {
            switch $0 {
            case .start, .cancel: false
            case .run, .recall, .claim, .probe, .publish, .answer, .disconnect, .reportMissingSchema, .note: true
            }
        }
    }

    /// Hands in requests together.
    mutating func submit(_ requests: [(UInt64, StoreRequest)]) -> [Deed] {
        var deeds: [Deed] = []
        for (token, request) in requests {
            let order = PendingOrder(order: StoreOrder(request: request, client: nobody, token: token))
            deeds += ask(.order(order, Operation(request)))
        }
        return deeds + ask(.flush)
    }

    /// The transaction in flight ends.
    mutating func end(_ result: LaneFlow.Result) -> [Deed] { ask(.finished(transaction: transaction, result)) }

    /// The transaction in flight is committed, and answers each of its orders alike.
    mutating func commit(_ reply: StoreReply) -> [Deed] {
        let count = if case .orders(_, let orders)? = task { orders.count } else { 0 }
        return end(.committed(BatchOutcome(replies: Array(repeating: reply, count: count))))
    }

    mutating func fail(_ sqlState: String) -> [Deed] {
        end(.failed(PostgresError(sqlState: sqlState, message: "failed"), random: 0))
    }

    /// The timer that is due next fires.
    mutating func timer() -> [Deed] { clock.next().map { ask(.timer($0)) } ?? [] }

    private mutating func deeds(of action: LaneFlow.Action) -> [Deed] {
        switch action {
        case .begin(let number, let task):
            transaction = number
            self.task = task
            switch task {
            case .orders(let operation, let orders): return [.run(operation, orders.map(\.order.token))]
            case .recall(let drafts): return [.recall(drafts.map(\.id))]
            case .claim: return [.claim]
            case .probe: return [.probe]
            }
        case .settle(let events, let orders, let replies):
            return (events.isEmpty ? [] : [.publish(events.count)]) + zip(orders, replies).map { .answer($0.order.token, $1) }
        case .start(let timer, let delay):
            clock.start(timer, after: delay)
            return [.start(timer, delay)]
        case .cancel(let timer):
            clock.cancel(timer)
            return [.cancel(timer)]
        case .disconnect: return [.disconnect]
        case .reportMissingSchema: return [.reportMissingSchema]
        case .note(let note): return [.note(note)]
        }
    }
}

extension Epoch {
    static let first = Epoch(random: 1)
    static let second = Epoch(random: 2)
}

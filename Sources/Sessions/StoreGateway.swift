import Bus
import Messaging
import Reactor
import StoreAPI
import Telemetry

/// Takes a loop's orders to the store and remembers what each was asked for, until it is answered.
final class StoreGateway {
    /// What is to be done when the store answers.
    struct Pending {
        enum Step {
            case connect([SubscriptionRequest])
            // By the registration: an answer for an ended subscription must not be taken for the next one of that channel.
            case subscribe(UInt32, SubscriptionStart)
            case restate(UInt32, SubscriptionStart)
            case replay(UInt32, from: Seq)
            /// Counters and receipts, of which something was or may have been missed.
            case recount(UInt32)
            /// As `recount`, and the client is told everything: what was sent to it may not have arrived.
            case retell(UInt32)
            /// The state of a conversation that the session does not follow.
            case activity(Channel)
            /// The members who have blocked the user, in a conversation that the session follows.
            case hiding(UInt32)
            case command(Session.Purpose)
            /// The conversation is opened only if it exists: the user has begun too many others, and may begin the next after this time.
            case find(Session.Purpose, elseAfter: Duration)
            /// The kind of a conversation, before this request is carried out in it: some kinds of messages are switched off.
            indirect case judge(StoreRequest, Session.Purpose)
            /// The conversation is opened only if it exists: messages are switched off.
            case findOnly(Session.Purpose)
            /// Entries of a channel for all sessions that follow it.
            case channel(Channel, after: Seq)
            /// The holder of a ticket.
            case ticket(Authentication.Use)
            /// Something that no session asked for.
            case told((StoreReply) -> Void)
        }
        /// Nil: the loop itself asked.
        let session: SessionID?
        let origin: CommandOrigin
        let step: Step
    }

    private let state: LoopState
    private let inbox: LoopInbox
    private var pending = SlotTable<Pending>()
    private var orders: [StoreOrder] = []
    /// Sessions that have ended since the end of the last turn while orders of theirs were open.
    private var ended: Set<SessionID> = []

    init(_ state: LoopState, inbox: LoopInbox) {
        self.state = state
        self.inbox = inbox
    }

    /// Orders that are not answered yet.
    var openCount: Int { pending.count }
    /// Orders that leave at the end of this turn.
    var waitingCount: Int { orders.count }

    func order(_ request: consuming StoreRequest, for live: LiveSession, _ origin: CommandOrigin, _ step: Pending.Step) {
        state.exchanges.hold(origin.exchange)
        let token = pending.insert(Pending(session: live.id, origin: origin, step: step))
        live.inFlight += 1
        var reader: UserID?
        if case .page = request { reader = live.session.identity?.user }
        orders.append(StoreOrder(request: request, client: inbox, token: token, reader: reader, epoch: state.epoch))
    }

    /// Asks for something that concerns many sessions.
    func order(_ request: consuming StoreRequest, forAllOf channel: Channel, after start: Seq) {
        let token = pending.insert(Pending(session: nil, origin: .none, step: .channel(channel, after: start)))
        orders.append(StoreOrder(request: request, client: inbox, token: token, reader: nil, epoch: state.epoch))
    }

    /// Asks for something that concerns no session that is there. `told` is called once.
    func order(_ request: consuming StoreRequest, _ told: @escaping (StoreReply) -> Void) {
        let token = pending.insert(Pending(session: nil, origin: .none, step: .told(told)))
        orders.append(StoreOrder(request: request, client: inbox, token: token))
        // The order may come behind the end of a turn, and another one may not come.
        state.loop.handle.wake()
    }

    /// Asks for the counters of a channel again.
    func recount(_ live: LiveSession, _ subscription: Session.Subscription, retell: Bool = false) {
        let registration = subscription.registration
        reread(live, subscription, retell ? .retell(registration) : .recount(registration))
    }

    /// Asks for the state of a channel again.
    func reread(_ live: LiveSession, _ subscription: Session.Subscription, _ step: Pending.Step) {
        guard let identity = live.session.identity else { return }
        let isEntitled = identity.isEntitled(to: subscription.channel)
        order(.state(identity.user, subscription.channel, entitled: isEntitled), for: live, .none, step)
    }

    /// What the session asked for need not be read any more. The store is told at the end of this turn.
    func forget(_ live: LiveSession) {
        guard live.inFlight > 0 else { return }
        // Connections are closed behind the end of a turn, and another turn may not come.
        if ended.isEmpty { state.loop.handle.wake() }
        ended.insert(live.id)
    }

    /// One look at all open orders for all sessions that have ended in this turn: a session does not know its tokens.
    private func cancel() {
        guard !ended.isEmpty else { return }
        let tokens = pending.tokens { $0.session.map(ended.contains) ?? false }
        ended.removeAll()
        if !tokens.isEmpty { state.services.store.cancel(tokens, of: inbox) }
    }

    func take(_ token: UInt64) -> Pending? { pending.remove(token) }

    /// At most so many orders are handed over at once, under one lock; at least so many are tried where the store has little room.
    private static let handover = (most: 512, least: 64)

    /// Hands over the orders of this turn, in parts: a store that has no room for all has room for some.
    /// - Parameter refused: is told the orders there was no room for.
    func submit(_ refused: (_ token: UInt64) -> Void) {
        handOver(refused)
        cancel()
    }

    private func handOver(_ refused: (_ token: UInt64) -> Void) {
        guard !orders.isEmpty else { return }
        var batch: [StoreOrder] = []
        swap(&batch, &orders)
        let store = state.services.store
        var open = pending.count - batch.count
        var start = 0
        while start < batch.count {
            let room = min(store.room, inbox.outcomes.capacity - open)
            let most = min(max(room, Self.handover.least), Self.handover.most)
            let end = min(start + most, batch.count)
            let part = end - start == batch.count ? batch : Array(batch[start..<end])
            if open + part.count <= inbox.outcomes.capacity, store.submit(part) {
                open += part.count
            } else {
                state.metrics.storeFull.add()
                for order in part { refused(order.token) }
            }
            start = end
        }
    }
}

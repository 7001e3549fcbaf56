package import Auth
import Bus
import Linux
package import Logging
package import Messaging
import Pacing
package import Reactor
import StoreAPI
import Telemetry

/// The sessions of one event loop: joins the pure machines (session, roster) with the store, the bus and the clients.
///
/// Everything here runs on its loop's thread; other threads reach it only through `LoopInbox`.
/// Owns: sessions, users, rosters, and the orders waiting for the store.
package final class SessionLoop {
    /// What is to be done when the store answers an order.
    struct Pending {
        enum Step {
            case connect([SubscriptionRequest])
            // By the registration: what was asked for an ended subscription must not be taken for the next one of that channel.
            case subscribe(UInt32, since: Seq?)
            case restate(UInt32, rewind: Seq?)
            case replay(UInt32, from: Seq)
            /// Counters and receipts, of which something was or may have been missed.
            case recount(UInt32)
            case command(Session.Purpose)
        }
        let key: SessionKey
        let id: UInt64?
        let step: Step
    }

    package let loop: EventLoop
    package let inbox: LoopInbox
    package let limits: SessionLimits
    package let metrics: ServingMetrics
    package let log: Logger
    package let verifier: TokenVerifier
    package let services: any SessionServices
    package let terms: Welcome.Terms
    private(set) var outlet: any SessionOutlet = NoOutlet()

    var sessions = SessionTable()
    /// For the sessions to come.
    private var sessionIDs: [String] = []
    var users = Users()
    /// Came with the handshake; used by a `connect` without a token, then forgotten.
    var handshakeTokens: [SessionKey: String] = [:]
    var fanOut = FanOut()
    var pending = SlotTable<Pending>()
    /// Counts the registrations; unique as long as any answer may be under way.
    var registrations: UInt32 = 0
    private var orders: [StoreOrder] = []
    private var isSlicing = false
    /// Signals to be told to all loops at the end of the turn.
    private var signals: [BusEvent] = []
    /// Every frame for one session is written here first.
    private var scratch: [UInt8] = []

    /// Sessions with something to be read that could not be had, or with many others: they come in turn, by a timer.
    private var stalled: Set<SessionKey> = []
    private var isRetryScheduled = false
    var waitingTokens = WaitingTokens()
    var isKeyTimerSet = false
    var counterTeller = CounterTeller()
    var expiryWatch = ExpiryWatch()
    /// Set by whoever assembled the loop.
    package var onControl: (LoopInbox.Control) -> Void = { _ in }

    package init(
        loop: EventLoop, inbox: LoopInbox, limits: SessionLimits, verifier: TokenVerifier, services: any SessionServices,
        metrics: ServingMetrics, log: Logger
    ) {
        self.loop = loop
        self.inbox = inbox
        self.limits = limits
        self.verifier = verifier
        self.services = services
        terms = limits.terms(features: services.features)
        self.metrics = metrics
        self.log = log
    }

    /// Connects the loop with what carries its frames, and starts listening to other threads.
    package func attach(_ outlet: any SessionOutlet) {
        self.outlet = outlet
        loop.receive(from: inbox.events) { [unowned self] batch in
            for events in batch { hear(events) }
        }
        loop.receive(from: inbox.outcomes) { [unowned self] batches in
            for batch in batches {
                // By their places: in the loop's variable each would be copied.
                for index in batch.indices { complete(batch[index].token, batch[index].reply) }
            }
        }
        loop.atTurnEnd { [unowned self] in
            hearControls()
            if inbox.takeMissed() { resynchronise() }
            if !signals.isEmpty {
                services.bus.publish(signals)
                signals.removeAll(keepingCapacity: true)
            }
            submitOrders()
            loop.awaitsOthers = pending.count > 0 && services.store.isUp
        }
    }

    /// Once the loop has stopped. What is let go here holds the sessions, as they hold it.
    package func detach() {
        outlet = NoOutlet()
        onControl = { _ in }
    }

    package var now: Timestamp { Timestamp(milliseconds: WallClock.now()) }

    // MARK: Sessions

    package func open(_ key: SessionKey, format: UInt8, handshakeToken: String?) {
        if sessionIDs.isEmpty { sessionIDs = services.makeSessionIDs() }
        let session = Session(id: sessionIDs.removeLast())
        sessions.insert(LiveSession(key: key, format: format, session: session))
        if let handshakeToken { handshakeTokens[key] = handshakeToken }
    }

    package var keys: [SessionKey] { sessions.keys }

    /// True once the client sent a `connect` that was answered with success.
    package func isConnected(_ key: SessionKey) -> Bool { sessions[key]?.session.phase == .open }

    /// When the session's token runs out.
    package func expiry(_ key: SessionKey) -> Timestamp? { sessions[key]?.session.identity?.expiresAt }

    package func close(_ key: SessionKey) {
        guard let live = sessions.removeValue(forKey: key) else { return }
        if !handshakeTokens.isEmpty { handshakeTokens[key] = nil }
        for subscription in live.session.subscriptions { fanOut.leave(subscription) }
        if let identity = live.session.identity { users.remove(key, of: identity.user) }
        inbox.report(sessions: sessions.count)
    }

    /// The hub is being stopped. What was asked for is answered first; nothing more is heard or begun.
    package func leave(_ key: SessionKey) {
        guard let live = sessions[key], !live.isLeaving else { return }
        live.isLeaving = true
        guard live.inFlight > 0 else { return closeLeaving(live) }
        if !live.isReadingPaused { outlet.pauseReading(key) }
        live.isReadingPaused = true
    }

    /// Once nothing is open any more.
    func closeLeaving(_ live: LiveSession) {
        guard live.isLeaving, live.inFlight == 0 else { return }
        if live.isReadingPaused { outlet.resumeReading(live.key) }
        live.isReadingPaused = false
        outlet.close(live.key, .draining)
    }

    /// The connection has room again: a session that fell behind reads on, and is told what it was not told.
    package func drained(_ key: SessionKey) {
        guard let live = sessions[key] else { return }
        readOn(live)
        for subscription in live.session.subscriptions {
            guard let subscriber = fanOut.subscriber(subscription) else { continue }
            if subscriber.isCountersStale { counterTeller.changed(subscription.channel, self) }
            if subscriber.hasMissedReceipts {
                _ = fanOut.update(subscription) { $0.hasMissedReceipts = false }
                recount(live, subscription)
            }
        }
    }

    /// Orders the pages that are due, as many as may be on their way at once.
    func readOn(_ live: LiveSession) {
        for subscription in live.session.subscriptions where live.pages < limits.pages { orderPage(live, subscription) }
    }

    // MARK: Commands

    /// One message of a client: one or more commands, a line each.
    package func message(_ key: SessionKey, _ text: Span<UInt8>) {
        guard let live = sessions[key] else { return }
        ClientCommand.parse(text, limits: limits.commands) { line in
            if live.strays > limits.strays { return }
            switch line {
            case .plainAck(let ack):
                metrics.commands.add()
                perform(live.session.receive(ack, in: text) { fanOut.grantedPosition($0) }, live, ack.id)
            case .command(let command):
                metrics.commands.add()
                let action = live.session.receive(command.body, now: now, limits: limits.session) { fanOut.grantedPosition($0) }
                perform(action, live, command.id)
            case .rejected(let rejection):
                refuse(live, rejection.id, rejection.code, rejection.message, replyAnyway: true)
            }
        }
        // Back-pressure by the socket: a client that asks faster than the store answers is not read meanwhile.
        if live.inFlight >= limits.inFlight, !live.isReadingPaused {
            live.isReadingPaused = true
            outlet.pauseReading(key)
        }
    }

    private func perform(_ action: Session.Action, _ live: LiveSession, _ id: UInt64?) {
        switch action {
        case .refuse(let refusal):
            refuse(live, id, refusal.code, refusal.reason)
        case .connect(let token, let requests):
            connect(live, id, token ?? handshakeTokens[live.key], requests)
        case .refresh(let token):
            check(live, id, token, isRefresh: true, requests: [])
        case .subscribe(let channel, let since):
            subscribe(live, channel, since, id: id)
        case .restate(let index, let rewind):
            restate(live, index, rewind, id: id)
        case .unsubscribe(let index):
            let subscription = live.session.left(at: index)
            fanOut.leave(subscription)
            reply(live, id) { ServerMessage.unsubscribed(re: $0, subscription.channel, into: &$1) }
        case .store(let request, let purpose):
            order(request, live, id, .command(purpose))
        case .typing(let channel):
            guard let user = live.session.identity?.user else { return }
            signals.append(.typing(channel, user))
            reply(live, id) { ServerMessage.done(re: $0, into: &$1) }
        case .done:
            reply(live, id) { ServerMessage.done(re: $0, into: &$1) }
        case .tellTime:
            let now = now
            reply(live, id) { ServerMessage.time(re: $0, now, into: &$1) }
        }
    }

    // MARK: Replies

    /// Nothing for a command without an id.
    func reply(_ live: LiveSession, _ id: UInt64?, _ write: (UInt64, inout [UInt8]) -> Void) {
        guard let id else { return }
        push(to: live.key) { write(id, &$0) }
    }

    /// Sends what `write` writes, and nothing when it writes nothing.
    @discardableResult
    func push<Result>(to key: SessionKey, _ write: (inout [UInt8]) -> Result) -> Result {
        var json: [UInt8] = []
        swap(&json, &scratch)
        json.removeAll(keepingCapacity: true)
        let result = write(&json)
        if !json.isEmpty { outlet.send(json.span, to: key) }
        swap(&json, &scratch)
        return result
    }

    /// What is said at once, in one message; nothing when there is no line.
    func pushLines(to key: SessionKey, _ write: (inout MessageLines) -> Void) {
        var lines = MessageLines()
        swap(&lines.bytes, &scratch)
        lines.bytes.removeAll(keepingCapacity: true)
        write(&lines)
        if !lines.bytes.isEmpty { outlet.send(lines.bytes.span, to: key) }
        swap(&lines.bytes, &scratch)
    }

    /// - Parameter replyAnyway: also without an id: the client could not be understood and should know.
    func refuse(_ live: LiveSession, _ id: UInt64?, _ code: ErrorCode, _ reason: String, replyAnyway: Bool = false) {
        metrics.refusals.add(code.rawValue)
        defer { if live.session.phase != .open, !code.isTemporary { strayed(live) } }
        guard id != nil || replyAnyway else { return }
        let retry = code.isTemporary ? UInt64(limits.retryAfter.wholeMilliseconds) : nil
        push(to: live.key) { ServerMessage.error(re: id, code, reason, retryAfterMs: retry, into: &$0) }
    }

    /// Whoever has not connected is not answered for ever.
    private func strayed(_ live: LiveSession) {
        live.strays &+= 1
        if live.strays == limits.strays + 1 { outlet.close(live.key, .badFrame) }
    }

    // MARK: Orders

    func order(_ request: consuming StoreRequest, _ live: LiveSession, _ id: UInt64?, _ step: Pending.Step) {
        let token = pending.insert(Pending(key: live.key, id: id, step: step))
        live.inFlight += 1
        orders.append(StoreOrder(request: request, client: inbox, token: token))
    }

    /// Orders handed over at once, one lock for so many and none per frame: as a rule all of a turn, and few when there is not room
    /// for all.
    private static let handover = (most: 512, least: 64)

    /// Hands this turn's orders over, in parts: a store that has no room for all has room for some.
    private func submitOrders() {
        guard !orders.isEmpty else { return }
        var batch: [StoreOrder] = []
        swap(&batch, &orders)
        var open = pending.count - batch.count
        var start = 0
        while start < batch.count {
            let room = min(services.store.room, inbox.outcomes.capacity - open)
            let most = min(max(room, Self.handover.least), Self.handover.most)
            let end = min(start + most, batch.count)
            let part = end - start == batch.count ? batch : Array(batch[start..<end])
            if open + part.count <= inbox.outcomes.capacity, services.store.submit(part) {
                open += part.count
            } else {
                metrics.storeFull.add()
                for order in part { complete(order.token, .failed(.unavailable)) }
            }
            start = end
        }
    }

    /// Asks for what the subscription is missing, one page at a time.
    func orderPage(_ live: LiveSession, _ subscription: Session.Subscription) {
        guard live.pages < limits.pages, !live.isLeaving, !outlet.isCongested(live.key) else { return }
        guard let start = fanOut.update(subscription, { $0.startPage() }), let start else { return }
        live.pages += 1
        order(
            .page(subscription.channel, after: start, before: nil, limit: limits.session.historyPage), live, nil,
            .replay(subscription.registration, from: start))
    }

    /// What the session must read could not be had now; `retryStalled` asks again.
    func stall(_ key: SessionKey) {
        stalled.insert(key)
        scheduleRetry(after: limits.storeRetry)
    }

    private func scheduleRetry(after delay: Duration) {
        guard !isRetryScheduled else { return }
        isRetryScheduled = true
        loop.after(delay) { [unowned self] in retryStalled() }
    }

    /// Orders of one round of retries, so that ten thousand sessions that all fell behind leave room for those that ask.
    private static let retriedOrders = 512
    private static let retryPause: Duration = .milliseconds(50)

    private func retryStalled() {
        isRetryScheduled = false
        while orders.count < Self.retriedOrders, let key = stalled.popFirst() {
            guard let live = sessions[key] else { continue }
            readOn(live)
            guard live.hasMissedEvents else { continue }
            live.hasMissedEvents = false
            for subscription in live.session.subscriptions where fanOut.isGranted(subscription) { recount(live, subscription) }
        }
        if !stalled.isEmpty { scheduleRetry(after: Self.retryPause) }
    }

    /// Events were dropped because this loop's mailbox was full: every subscription may have a gap.
    private func resynchronise() {
        metrics.resynchronisations.add()
        log.warning("loop missed events and reads them from the store", metadata: ["sessions": "\(sessions.count)"])
        for live in sessions.values {
            for subscription in live.session.subscriptions { _ = fanOut.update(subscription) { $0.suspect() } }
            live.hasMissedEvents = true
            stall(live.key)
        }
    }

    /// Entries of a channel could not be queued: whoever follows it reads them from the store.
    package func missed(_ channel: Channel) {
        metrics.resynchronisations.add()
        fanOut.visit(channel) { [self] subscriber in
            subscriber.suspect()
            stalled.insert(subscriber.key)
        }
        scheduleRetry(after: limits.storeRetry)
    }

    func recount(_ live: LiveSession, _ subscription: Session.Subscription) {
        guard let identity = live.session.identity else { return }
        order(
            .state(identity.user, subscription.channel, entitled: true), live, nil, .recount(subscription.registration))
    }

    // MARK: Fan-out

    func deliverSoon() {
        guard !isSlicing, !fanOut.isIdle else { return }
        isSlicing = true
        loop.slice { [unowned self] in
            let outcome = fanOut.runSlice(outlet, at: loop.now)
            metrics.deliveries.add(UInt64(outcome.deliveries))
            for (key, channel) in outcome.behind {
                metrics.gaps.add()
                guard let live = sessions[key], let index = live.session.subscription(to: channel) else { continue }
                orderPage(live, live.session.subscriptions[index])
            }
            for channel in outcome.telling { counterTeller.isTelling(channel) }
            for key in outcome.told {
                if let live = sessions[key] { tellCounters(live) }
            }
            for channel in outcome.counted { counterTeller.changed(channel, self) }
            isSlicing = !fanOut.isIdle
            return isSlicing
        }
    }
}

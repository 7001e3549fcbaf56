package import Auth
import Bus
import Linux
package import Logging
package import Messaging
package import Reactor
import StoreAPI
import Telemetry

/// The sessions of one event loop, between the transports, the store and the bus.
///
/// Composes the parts, and is what transports call. Everything runs on the loop's thread; other threads reach it only through `LoopInbox`.
package final class SessionLoop {
    package let inbox: LoopInbox
    let state: LoopState
    private let gateway: StoreGateway
    private let replay: Replay
    let subscriptions: Subscriptions
    private let counters: CounterPushes
    let authentication: Authentication
    private let timers: SessionTimers
    private let feed: BusFeed
    /// Public session ids made in advance.
    private var sessionIDs: [String] = []
    /// The hub is being stopped: within this time its clients come back.
    package private(set) var drainSpread: Duration?
    /// Is told the end of every session that is reached by HTTP requests. `FallbackSessions` sets it.
    package var resumableEnded: (SessionID) -> Void = { _ in }

    /// - Parameter number: of this loop among all loops of the hub.
    package init(
        loop: EventLoop, number: UInt16 = 0, inbox: LoopInbox, limits: SessionLimits, verifier: TokenVerifier,
        services: any SessionServices, metrics: ServingMetrics, log: Logger
    ) {
        self.inbox = inbox
        state = LoopState(loop: loop, number: number, limits: limits, services: services, metrics: metrics, log: log)
        gateway = StoreGateway(state, inbox: inbox)
        counters = CounterPushes(state)
        let expiries = ExpiryWatch(state, gateway: gateway)
        replay = Replay(state, gateway: gateway, counters: counters, expiries: expiries)
        subscriptions = Subscriptions(state, gateway: gateway, replay: replay, expiries: expiries, counters: counters)
        authentication = Authentication(state, verifier: verifier)
        timers = SessionTimers(state)
        feed = BusFeed(state, replay: replay, subscriptions: subscriptions, counters: counters, expiries: expiries)
    }

    /// Adds a way to clients. The result is the transport's number in routes.
    package func add(_ transport: any Transport) -> UInt8 { state.outbound.add(transport) }

    /// Starts listening to other threads.
    package func start() {
        subscriptions.identityChanged = { [unowned self] in timers.arm($0) }
        timers.expired = { [unowned self] live, reason in expired(live, reason) }
        authentication.settled = { [unowned self] live in settled(live) }
        authentication.verified = { [unowned self] live, origin, identity, use in
            switch use {
            case .connect(let requests): subscriptions.identified(live, origin, identity, requests)
            case .refresh: subscriptions.refreshed(live, origin, identity)
            }
        }
        state.loop.receive(from: inbox.events) { [unowned self] batch in
            followHistory()
            for events in batch { feed.hear(events) }
        }
        state.loop.receive(from: inbox.outcomes) { [unowned self] batches in
            followHistory()
            for batch in batches {
                // By index: a loop variable would copy each outcome.
                for index in batch.indices { complete(batch[index].token, batch[index].reply) }
            }
        }
        state.loop.atTurnEnd { [unowned self] in endTurn() }
    }

    private func endTurn() {
        followHistory()
        if let news = inbox.takeKeyNews() { authentication.hear(news) }
        if inbox.takeMissed() { replay.resynchronise() }
        feed.publishSignals()
        gateway.submit { complete($0, .failed(.unavailable)) }
        state.loop.awaitsOthers = gateway.openCount > 0 && state.services.store.isUp
        inbox.report(sessions: state.table.count)
    }

    /// Once the loop has stopped: sessions and transports let go of each other.
    package func detach() {
        state.outbound.removeAll()
        subscriptions.identityChanged = { _ in }
        timers.expired = { _, _ in }
        authentication.settled = { _ in }
        authentication.verified = { _, _, _, _ in false }
        resumableEnded = { _ in }
    }

    package var count: Int { state.table.count }
    /// Sessions that are reached by HTTP requests.
    package var resumableCount: Int { state.table.resumable.count }

    // MARK: Sessions

    /// - Parameters:
    ///   - handshakeToken: came with the request that opens the session.
    ///   - isBrowser: the session ends when its user is idle.
    ///   - isResumable: the session is reached by HTTP requests that name its credential.
    package func open(route: Route, handshakeToken: String?, isBrowser: Bool, isResumable: Bool = false) -> SessionID {
        if sessionIDs.isEmpty { sessionIDs = state.services.makeSessionIDs() }
        let live = state.table.add(Session(id: sessionIDs.removeLast()), route: route, now: state.loop.now)
        live.endsWhenIdle = isBrowser
        if isResumable {
            state.table.makeResumable(live, secret: SessionSecret(random: SessionIDs.randomBytes(16)), now: state.loop.now)
        }
        if let handshakeToken { authentication.keep(handshakeToken: handshakeToken, of: live.id) }
        timers.arm(live)
        return live.id
    }

    /// True once the client sent a `connect` that was answered with success.
    package func isConnected(_ id: SessionID) -> Bool { state.table[id]?.session.phase == .open }

    /// The session that a request names. The request is a sign that its client lives.
    package func session(_ credential: SessionCredential) -> SessionID? {
        guard let live = state.table.session(credential) else { return nil }
        if let kept = state.table.resumable[live.id], kept.detachedSince != nil { kept.detachedSince = state.loop.now }
        return live.id
    }

    package func credential(of id: SessionID) -> SessionCredential? { state.table.credential(of: id) }

    /// Whether the token is valid and the session's user's; nil when the token's key is not known yet.
    package func isToken(_ token: String, of id: SessionID) -> Result<Bool, TokenRejection>? {
        guard let user = state.table[id]?.session.identity?.user else { return .success(false) }
        return authentication.isToken(token, of: user)
    }

    /// The client is gone for good.
    package func close(_ id: SessionID) {
        guard let live = state.table.remove(id) else { return }
        timers.disarm(live)
        authentication.forget(id)
        state.early.forget(id)
        gateway.forget(live)
        counters.forget(id)
        for subscription in live.session.subscriptions { state.fanOut.leave(subscription) }
        if live.isResumable { resumableEnded(id) }
        // Connections are closed behind the end of a turn, and another turn may not come.
        inbox.report(sessions: state.table.count)
    }

    /// Tells the client why its session ends, and ends it.
    package func end(_ id: SessionID, _ reason: EndReason) {
        if let live = state.table[id] { state.end(live, reason) }
    }

    /// The session's deadline has passed.
    private func expired(_ live: LiveSession, _ reason: EndReason?) {
        guard let reason else { return close(live.id) }
        switch reason {
        case .connectTimeout: state.metrics.dwellTimeouts.add()
        case .idle: state.metrics.idleTimeouts.add()
        default: break
        }
        state.end(live, reason)
    }

    // MARK: Ways to the client

    /// From now on the session's frames take this route.
    package func move(_ id: SessionID, to route: Route) { state.table.setRoute(route, of: id) }

    /// A stream or a poll carries the session's frames from now on.
    package func attach(_ id: SessionID) {
        guard let live = state.table[id] else { return }
        state.table.resumable[id]?.detachedSince = nil
        timers.arm(live)
    }

    /// The session's stream or poll is over.
    package func detach(_ id: SessionID) {
        guard let live = state.table[id], let kept = state.table.resumable[id] else { return }
        kept.detachedSince = state.loop.now
        timers.arm(live)
    }

    /// How far the session was sent in each channel, for `resume`.
    package func positions(of id: SessionID) -> String {
        guard let live = state.table[id] else { return PositionText.write([], epoch: state.epoch) }
        return PositionText.write(
            live.session.subscriptions.compactMap { subscription in
                state.fanOut.grantedPosition(subscription).map { (subscription.channel, $0) }
            }, epoch: state.epoch)
    }

    /// Frames that were sent may not have arrived: sends again all entries behind `text`, and tells cursors, receipts and counters.
    /// - Parameter text: a result of `positions`. Nil, or a channel it does not name: from the start of the subscription.
    /// - Returns: false when the text is not one of a session's positions.
    package func resume(_ id: SessionID, behind text: String?) -> Bool {
        guard let live = state.table[id] else { return false }
        return subscriptions.resume(live, behind: text)
    }

    /// The way to the client has room again: a session that fell behind reads on, and is told what was left out.
    package func drained(_ id: SessionID) {
        guard let live = state.table[id] else { return }
        replay.readOn(live)
        counters.drained(live)
        for subscription in live.session.subscriptions {
            guard let subscriber = state.fanOut.subscriber(subscription) else { continue }
            if subscriber.isCountersStale { counters.changed(subscription.channel) }
            if subscriber.hasMissedReceipts {
                _ = state.fanOut.update(subscription) { $0.hasMissedReceipts = false }
                gateway.recount(live, subscription)
            }
        }
        // Connections are settled behind the end of a turn, and the orders leave at the end of the next one.
        if gateway.waitingCount > 0 { state.loop.handle.wake() }
    }

    // MARK: Commands

    /// One message of a client: one or more commands, a line each. Replies go the way of the session's pushes.
    package func message(_ id: SessionID, _ text: Span<UInt8>) {
        guard let live = state.table[id] else { return }
        receive(live, text, exchange: nil)
        // Back-pressure by the transport: a client that asks faster than the store answers is not read meanwhile.
        if live.inFlight >= state.limits.inFlight, !live.isReadingPaused {
            live.isReadingPaused = true
            state.outbound.pauseReading(id)
        }
    }

    /// The same for an HTTP request, which waits for the replies.
    /// - Parameter complete: is given the replies, a line each with its end, once all commands with an id are answered.
    /// - Returns: false, and nothing is done, when as many commands of the session wait as may: its client asks faster than the store answers.
    package func message(_ id: SessionID, _ text: Span<UInt8>, complete: @escaping (_ replies: [UInt8]) -> Void) -> Bool {
        if let live = state.table[id], live.inFlight >= state.limits.inFlight { return false }
        let exchange = state.exchanges.begin(complete)
        if let live = state.table[id] { receive(live, text, exchange: exchange) }
        state.exchanges.release(exchange)
        return true
    }

    /// Whether the first line of a message is a `connect` with an id: without its reply nobody could name the session it opens.
    package func opensSession(_ text: Span<UInt8>) -> Bool {
        var isFirst = true
        var opens = false
        ClientCommand.parse(text, limits: state.limits.commands) { line in
            defer { isFirst = false }
            guard isFirst, case .command(let command) = line, case .connect = command.body else { return }
            opens = command.id != nil
        }
        return opens
    }

    private func receive(_ live: LiveSession, _ text: Span<UInt8>, exchange: ExchangeID?) {
        ClientCommand.parse(text, limits: state.limits.commands) { line in
            if live.unauthenticatedCommands > state.limits.unauthenticatedCommands { return }
            if line.isSignOfUser { live.activeAt = live.session.phase == .open ? state.loop.now : live.activeAt }
            switch line {
            case .plainAck(let ack):
                state.metrics.commands.add()
                let action = live.session.receive(ack, in: text) { state.fanOut.grantedPosition($0) }
                perform(action, live, CommandOrigin(id: ack.id, exchange: exchange))
            case .command(let command):
                state.metrics.commands.add()
                let action = live.session.receive(command.body, now: state.now, epoch: state.epoch, limits: state.limits.session) {
                    state.fanOut.grantedPosition($0)
                }
                perform(action, live, CommandOrigin(id: command.id, exchange: exchange))
            case .rejected(let rejection):
                let origin = CommandOrigin(id: rejection.id, exchange: exchange)
                state.refuse(live, origin, rejection.code, rejection.message, isLoud: true)
            }
        }
    }

    private func perform(_ action: Session.Action, _ live: LiveSession, _ origin: CommandOrigin) {
        switch action {
        case .refuse(let refusal): state.refuse(live, origin, refusal)
        case .connect(let token, let requests): authentication.connect(live, origin, token: token, requests)
        case .refresh(let token): authentication.refresh(live, origin, token: token)
        case .subscribe(let channel, let start): subscriptions.subscribe(live, channel, start, origin)
        case .restate(let index, let start): subscriptions.restate(live, index, start, origin)
        case .unsubscribe(let index):
            let subscription = subscriptions.leave(live, at: index)
            state.outbound.reply(live, origin) { ServerMessage.unsubscribed(re: $0, subscription.channel, into: &$1) }
        case .store(let request, let purpose): gateway.order(request, for: live, origin, .command(purpose))
        case .typing(let channel):
            guard let user = live.session.identity?.user else { return }
            feed.signal(.typing(channel, user))
            state.outbound.reply(live, origin) { ServerMessage.done(re: $0, into: &$1) }
        case .done:
            state.outbound.reply(live, origin) { ServerMessage.done(re: $0, into: &$1) }
        case .tellTime:
            let now = state.now
            state.outbound.reply(live, origin) { ServerMessage.time(re: $0, now, into: &$1) }
        }
    }

    // MARK: Answers of the store

    private func complete(_ token: UInt64, _ reply: StoreReply) {
        guard let pending = gateway.take(token) else { return }
        if let live = state.table[pending.session] {
            complete(pending.step, of: live, pending.origin, reply)
            settled(live)
        }
        state.exchanges.release(pending.origin.exchange)
    }

    private func complete(_ step: StoreGateway.Pending.Step, of live: LiveSession, _ origin: CommandOrigin, _ reply: StoreReply) {
        switch (step, reply) {
        case (.connect(let requests), .snapshot(let states, let more)) where !live.isEnding:
            subscriptions.connected(live, origin, states, more: more, requests)
        case (.connect, _):
            subscriptions.abandonConnect(live)
            fail(live, origin, reply)
        case (.subscribe(let registration, let start), .state(let channelState)):
            subscriptions.subscribed(live, origin, registration, channelState, start)
        case (.subscribe(let registration, _), _):
            subscriptions.unregister(live, registration)
            fail(live, origin, reply)
        case (.restate(let registration, let start), .state(let channelState)):
            subscriptions.restated(live, origin, registration, channelState, start)
        case (.restate, _): fail(live, origin, reply)
        case (.replay(let registration, let start), _): replay.completePage(live, registration, from: start, reply)
        case (.recount(let registration), _): subscriptions.completeRecount(live, registration, reply, retells: false)
        case (.retell(let registration), _): subscriptions.completeRecount(live, registration, reply, retells: true)
        case (.command(let purpose), _): completeCommand(live, origin, purpose, reply)
        }
    }

    private func completeCommand(_ live: LiveSession, _ origin: CommandOrigin, _ purpose: Session.Purpose, _ reply: StoreReply) {
        var answer = Session.Answer.told
        state.outbound.answer(live, origin) {
            answer = live.session.answer(reply, to: purpose, re: origin.id, limits: state.limits.session, into: &$0)
        }
        switch answer {
        case .told: break
        case .refuse(let refusal): state.refuse(live, origin, refusal)
        case .store(let request, let purpose): gateway.order(request, for: live, origin, .command(purpose))
        }
    }

    private func fail(_ live: LiveSession, _ origin: CommandOrigin, _ reply: StoreReply) {
        state.refuse(live, origin, Refusal(reply, limits: state.limits.session))
    }

    /// One of the session's commands, pages or waiting tokens is done with.
    private func settled(_ live: LiveSession) {
        live.inFlight -= 1
        if live.isLeaving { return endLeaving(live) }
        guard live.isReadingPaused, live.inFlight <= state.limits.inFlight / 2 else { return }
        live.isReadingPaused = false
        state.outbound.resumeReading(live.id)
    }

    // MARK: Draining

    /// Sessions ended per step of the drain.
    private static let drainStep = 64

    /// Ends every session (4200) in small steps over half of `spread`, each when its commands are answered; the clients come back over all of
    /// `spread`.
    package func drain(spread: Duration) {
        guard drainSpread == nil else { return }
        drainSpread = spread
        let sessions = state.table.all.map(\.id)
        let steps = max(1, (sessions.count + Self.drainStep - 1) / Self.drainStep)
        drainNext(sessions[...], pause: spread / (2 * steps))
    }

    private func drainNext(_ sessions: ArraySlice<SessionID>, pause: Duration) {
        for id in sessions.prefix(Self.drainStep) { leave(id) }
        let rest = sessions.dropFirst(Self.drainStep)
        guard !rest.isEmpty else { return }
        state.loop.after(pause) { [unowned self] in drainNext(rest, pause: pause) }
    }

    /// The commands under way are answered; no other is read.
    func leave(_ id: SessionID) {
        guard let live = state.table[id], !live.isLeaving else { return }
        live.isLeaving = true
        if live.inFlight > 0 {
            if !live.isReadingPaused { state.outbound.pauseReading(id) }
            live.isReadingPaused = true
        }
        endLeaving(live)
    }

    private func endLeaving(_ live: LiveSession) {
        guard live.inFlight == 0 else { return }
        if live.isReadingPaused { state.outbound.resumeReading(live.id) }
        live.isReadingPaused = false
        state.end(live, .draining, spread: drainSpread ?? .zero)
    }
}

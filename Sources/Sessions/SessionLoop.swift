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
/// Composes the parts, which are most of its many stored properties, and is what transports call. Everything runs on the loop's thread;
/// other threads reach it only through `LoopInbox`.
package final class SessionLoop {
    package let inbox: LoopInbox
    let state: LoopState
    let gateway: StoreGateway
    let replay: Replay
    let subscriptions: Subscriptions
    let counters: CounterPushes
    let presence: PresencePushes
    let authentication: Authentication
    let paces: CommandPaces
    let pages: PageOrders
    let timers: SessionTimers
    let switches: SwitchEffects
    private let feed: BusFeed
    private let channelReads: ChannelReads
    private var largeOutcomes = LargeOutcomes()
    private var isSendingLarge = false
    /// Public session ids made in advance.
    private var sessionIDs: [String] = []
    /// The hub is drained: within this time its clients come back.
    package internal(set) var drainSpread: Duration?
    var drainNumber = 0
    /// Is told the end of every session that is reached by HTTP requests. `FallbackSessions` sets it.
    package var resumableEnded: (SessionID) -> Void = { _ in }

    /// - Parameter number: of this loop among all loops of the hub.
    package init(
        loop: EventLoop, number: UInt16 = 0, inbox: LoopInbox, limits: SessionLimits, verifier: TokenVerifier,
        contexts: ContextVerifier? = nil, services: any SessionServices, metrics: ServingMetrics, log: Logger
    ) {
        self.inbox = inbox
        state = LoopState(loop: loop, number: number, limits: limits, services: services, metrics: metrics, log: log)
        gateway = StoreGateway(state, inbox: inbox)
        counters = CounterPushes(state)
        let expiries = ExpiryWatch(state, gateway: gateway)
        replay = Replay(state, gateway: gateway, counters: counters, expiries: expiries)
        presence = PresencePushes(state)
        subscriptions = Subscriptions(
            state, gateway: gateway, replay: replay, expiries: expiries, counters: counters, presence: presence)
        authentication = Authentication(state, gateway: gateway, verifier: verifier, contexts: contexts)
        paces = CommandPaces(state)
        pages = PageOrders(state, gateway: gateway)
        timers = SessionTimers(state)
        switches = SwitchEffects(state, replay: replay, presence: presence)
        channelReads = ChannelReads(state, gateway: gateway, replay: replay)
        feed = BusFeed(
            state, replay: replay, subscriptions: subscriptions, counters: counters, expiries: expiries,
            activity: ActivityPushes(state, gateway: gateway), presence: presence, reads: channelReads,
            authentication: authentication)
    }

    /// Adds a way to clients. The result is the transport's number in routes.
    package func add(_ transport: any Transport) -> UInt8 { state.outbound.add(transport) }

    /// Starts listening to other threads.
    package func start() {
        watchStandstill()
        subscriptions.identityChanged = { [unowned self] in timers.arm($0) }
        subscriptions.begins = { [unowned self] in switches.begins($0, $1) }
        timers.expired = { [unowned self] live, reason in expired(live, reason) }
        authentication.settled = { [unowned self] live in settled(live) }
        pages.settled = { [unowned self] live in settled(live) }
        authentication.refreshFailed = { [unowned self] live in paces.refreshFailed(live) }
        authentication.verified = { [unowned self] live, origin, identity, use in
            switch use {
            case .connect(let requests):
                if paces.holdsBackConnect(live, origin, of: identity.user) || switches.refusesConnect(live, origin, identity) {
                    return false
                }
                if hasTooManySessions(identity.user) {
                    refuseSession(live, origin)
                    return false
                }
                return subscriptions.identified(live, origin, identity, requests)
            case .refresh:
                guard subscriptions.refreshed(live, origin, identity) else { return false }
                if !state.switchboard.isEmpty { switches.changed(live, since: nil) }
                return true
            }
        }
        state.loop.receive(from: inbox.events) { [unowned self] batch in
            followHistory()
            for events in batch { feed.hear(events) }
        }
        state.loop.receive(from: inbox.outcomes) { [unowned self] batches in
            state.loop.hearOthers()
            followHistory()
            for batch in batches {
                // By index: a loop variable would copy each outcome.
                for index in batch.indices where !largeOutcomes.keeps(batch[index]) {
                    complete(batch[index].token, batch[index].reply)
                }
            }
            sendLargeOutcomes()
        }
        state.loop.atTurnEnd { [unowned self] in endTurn() }
    }

    private func endTurn() {
        followHistory()
        if let news = inbox.takeKeyNews() { authentication.hear(news) }
        if inbox.takeMissed() { replay.resynchronise() }
        feed.publishSignals()
        gateway.submit { complete($0, .failed(.unavailable)) }
        // Refused orders made room for others, which leave in the next turn.
        if gateway.waitingCount > 0 { state.loop.handle.wake() }
        state.loop.awaitsOthers = gateway.openCount > 0 && state.services.store.isUp
        inbox.report(sessions: state.table.count)
    }

    /// Once the loop has stopped: sessions and transports let go of each other.
    package func detach() {
        state.outbound.removeAll()
        subscriptions.identityChanged = { _ in }
        subscriptions.begins = { _, _ in }
        timers.expired = { _, _ in }
        authentication.settled = { _ in }
        authentication.verified = { _, _, _, _ in false }
        authentication.refreshFailed = { _ in }
        pages.settled = { _ in }
        resumableEnded = { _ in }
    }

    package var count: Int { state.table.count }
    /// Sessions that are reached by HTTP requests.
    package var resumableCount: Int { state.table.resumable.count }

    // MARK: Sessions

    /// - Parameters:
    ///   - credential: came with the request that opens the session.
    ///   - isBrowser: the session ends when its user is idle.
    ///   - isResumable: the session is reached by HTTP requests that name its credential.
    package func open(route: Route, credential: Credential?, isBrowser: Bool, isResumable: Bool = false) -> SessionID {
        if sessionIDs.isEmpty { sessionIDs = state.services.makeSessionIDs() }
        let live = state.table.add(Session(id: sessionIDs.removeLast()), route: route, now: state.loop.now)
        live.endsWhenIdle = isBrowser
        if isResumable {
            state.table.makeResumable(live, secret: SessionSecret(random: SessionIDs.randomBytes(16)), now: state.loop.now)
        }
        if let credential { authentication.keep(credential, of: live.id) }
        timers.arm(live)
        return live.id
    }

    /// True once the client sent a `connect` that was answered with success.
    package func isConnected(_ id: SessionID) -> Bool { state.table[id]?.session.phase == .open }

    /// The client is gone for good.
    package func close(_ id: SessionID) {
        guard let live = state.table.remove(id) else { return }
        paces.countConnect(of: live)
        timers.disarm(live)
        authentication.forget(id)
        state.early.forget(id)
        gateway.forget(live)
        counters.forget(id)
        presence.ended(live)
        for subscription in live.session.subscriptions { state.fanOut.leave(subscription) }
        pages.goOn(live)
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

    // MARK: Commands

    /// One message of a client: one or more commands, a line each. Replies go the way of the session's pushes.
    package func message(_ id: SessionID, _ text: Span<UInt8>) {
        guard let live = state.table[id] else { return }
        receive(live, text, exchange: nil)
        // Back-pressure by the transport: a client that asks faster than the store answers, or than it reads, is not read meanwhile.
        if !live.isReadingPaused, live.inFlight >= state.limits.inFlight || state.outbound.isCongested(id) {
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

    private func receive(_ live: LiveSession, _ text: Span<UInt8>, exchange: ExchangeID?) {
        ClientCommand.parse(text, limits: state.limits.commands) { line in
            if live.isEnding || live.unauthenticatedCommands > state.limits.unauthenticatedCommands { return }
            if paces.holdsBack(live, line, exchange) { return }
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
        if let refusal = refusal(of: action, live) { return state.refuse(live, origin, refusal) }
        if !state.switchboard.isEmpty, isSwitched(action, live, origin) { return }
        switch action {
        case .refuse(let refusal): state.refuse(live, origin, refusal)
        case .connect(let proof, let requests): authentication.connect(live, origin, proof, requests)
        case .refresh(let proof):
            if !paces.holdsBackRefresh(live, origin) { authentication.refresh(live, origin, proof) }
        case .subscribe(let channel, let start): subscriptions.subscribe(live, channel, start, origin)
        case .restate(let index, let start): subscriptions.restate(live, index, start, origin)
        case .unsubscribe(let index):
            let subscription = subscriptions.leave(live, at: index)
            state.outbound.reply(live, origin) { ServerMessage.unsubscribed(re: $0, subscription.channel, into: &$1) }
        case .store(let request, let purpose): order(request, for: live, origin, purpose)
        case .typing(let channel):
            guard let user = live.session.identity?.user, !paces.holdsBackTyping(live, origin) else { return }
            feed.signal(.typing(channel, user, hiddenFrom: live.session.hiddenFrom(in: channel)))
            state.outbound.reply(live, origin) { ServerMessage.done(re: $0, into: &$1) }
        case .sharePresence(let shown): presence.share(shown, live, origin)
        case .done:
            state.outbound.reply(live, origin) { ServerMessage.done(re: $0, into: &$1) }
        case .tellTime:
            let now = state.now
            state.outbound.reply(live, origin) { ServerMessage.time(re: $0, now, into: &$1) }
        }
    }

    private func order(_ request: StoreRequest, for live: LiveSession, _ origin: CommandOrigin, _ purpose: Session.Purpose) {
        if paces.holdsBack(request, for: live, origin) { return }
        if case .open(let user, let other, let context, _, let most) = request, let wait = paces.takeConversation(of: user) {
            // Only finds the conversation.
            let find = StoreRequest.open(user, with: other, context: context, most: 0, ofUser: most)
            return gateway.order(find, for: live, origin, .find(purpose, elseAfter: wait))
        }
        switch purpose {
        case .history, .conversations: pages.order(request, for: live, origin, purpose)
        case .ack, .mark, .open, .openThenSend, .send, .leave, .block, .blocks, .historyRight, .why, .whyRight:
            gateway.order(request, for: live, origin, .command(purpose))
        }
    }

    // MARK: Answers of the store

    private func complete(_ token: UInt64, _ reply: StoreReply) {
        guard let pending = gateway.take(token) else { return }
        guard let session = pending.session else {
            switch pending.step {
            case .channel(let channel, let start): channelReads.complete(channel, after: start, reply)
            case .told(let told): told(reply)
            default: break
            }
            return
        }
        if let live = state.table[session] {
            giveBackConversation(pending.step, reply, live)
            complete(pending.step, of: live, pending.origin, reply)
            settled(live)
        }
        state.exchanges.release(pending.origin.exchange)
        switch pending.step {
        case .command(.history), .command(.conversations): pages.completed(session)
        default: return
        }
    }

    /// Some in each turn.
    private func sendLargeOutcomes() {
        guard !largeOutcomes.isEmpty, !isSendingLarge else { return }
        isSendingLarge = true
        state.loop.slice { [unowned self] in
            for outcome in largeOutcomes.takeTurn() { complete(outcome.token, outcome.reply) }
            isSendingLarge = !largeOutcomes.isEmpty
            return isSendingLarge
        }
    }

    /// Conversations that were not made do not count.
    private func giveBackConversation(_ step: StoreGateway.Pending.Step, _ reply: StoreReply, _ live: LiveSession) {
        switch (step, reply) {
        case (.command(.open), .opened(_, created: true)), (.command(.openThenSend), .opened(_, created: true)): return
        case (.command(.open), _), (.command(.openThenSend), _): paces.giveBackConversation(to: live)
        default: return
        }
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
        case (.hiding(let registration), _): subscriptions.completeHiding(live, registration, reply)
        case (.channel, _), (.told, _): break
        case (.ticket(let use), .ticket(let identity)): authentication.took(identity, use, live, origin)
        case (.ticket(let use), _):
            if use.isConnect { subscriptions.abandonConnect(live) }
            fail(live, origin, reply)
        case (.activity(let channel), _): feed.activity.complete(channel, reply, to: live)
        case (.find(_, let wait), .failed(.tooManyConversations)): paces.refuseConversation(live, origin, wait)
        case (.judge(let request, let purpose), .kind(let kind)):
            if let refusal = switches.refusal(in: kind, live) { return state.refuse(live, origin, refusal) }
            order(request, for: live, origin, purpose)
        case (.judge, _): fail(live, origin, reply)
        case (.findOnly, .failed(.tooManyConversations)): state.refuse(live, origin, switches.refusalToOpen(live))
        case (.findOnly(let purpose), _), (.find(let purpose, _), _), (.command(let purpose), _):
            completeCommand(live, origin, purpose, reply)
        }
    }

    private func completeCommand(_ live: LiveSession, _ origin: CommandOrigin, _ purpose: Session.Purpose, _ reply: StoreReply) {
        var answer = Session.Answer.told
        var bytes = 0
        state.outbound.answer(live, origin) {
            answer = live.session.answer(reply, to: purpose, re: origin.id, limits: state.limits.session, into: &$0)
            bytes = $0.count
        }
        if case .history = purpose { paces.charge(historyBytes: bytes, to: live) }
        switch answer {
        case .told: break
        case .refuse(let refusal): state.refuse(live, origin, refusal)
        case .store(let request, let purpose): order(request, for: live, origin, purpose)
        }
    }

    private func fail(_ live: LiveSession, _ origin: CommandOrigin, _ reply: StoreReply) {
        state.refuse(live, origin, Refusal(reply, limits: state.limits.session))
    }

    /// One of the session's commands, pages or waiting tokens is done with.
    private func settled(_ live: LiveSession) {
        live.inFlight -= 1
        if live.isLeaving { return endLeaving(live) }
        resumeReading(live)
    }

    func resumeReading(_ live: LiveSession) {
        guard live.isReadingPaused, live.inFlight <= state.limits.inFlight / 2, !state.outbound.isCongested(live.id) else { return }
        live.isReadingPaused = false
        state.outbound.resumeReading(live.id)
    }
}

import Messaging
import Reactor

/// `connect`, `refresh`, `subscribe` and `unsubscribe`: which channels a session follows, and from which position.
final class Subscriptions {
    private let state: LoopState
    private let gateway: StoreGateway
    private let replay: Replay
    private let expiries: ExpiryWatch
    private let counters: CounterPushes
    private let presence: PresencePushes
    private let terms: Welcome.Terms
    /// Counts the registrations; a number is not used again while an answer for it may be under way.
    private var registrations: UInt32 = 0
    /// The session follows a channel from now on. Set once by the loop.
    var begins: (LiveSession, Session.Subscription) -> Void = { _, _ in }
    /// The session's identity is new or has changed. Set once by the loop.
    var identityChanged: (LiveSession) -> Void = { _ in }

    init(
        _ state: LoopState, gateway: StoreGateway, replay: Replay, expiries: ExpiryWatch, counters: CounterPushes, presence: PresencePushes
    ) {
        self.state = state
        self.presence = presence
        self.gateway = gateway
        self.replay = replay
        self.expiries = expiries
        self.counters = counters
        terms = state.limits.terms(features: state.services.features, node: state.services.node)
    }

    // MARK: connect

    /// The token of `connect` is verified. False: it is of another user.
    func identified(_ live: LiveSession, _ origin: CommandOrigin, _ identity: Identity, _ requests: [SubscriptionRequest]) -> Bool {
        guard live.session.identify(identity) else {
            state.refuse(live, origin, .subjectChanged, "token: belongs to another user than this connection", isLoud: true)
            return false
        }
        if live.user == Users.nobody { live.user = state.table.users.add(live.id, for: identity.user) }

        // Register first, then read: an entry committed after the snapshot then passes by the roster.
        let most = state.limits.session.subscriptions
        var broadcasts = live.isUnheard ? [] : identity.broadcasts(limit: most)
        var asked: [Channel] = []
        live.session.expect(subscriptions: min(requests.count, most))
        for request in requests.prefix(most) {
            guard let channel = Channel(wireName: request.channel, for: identity.user) else { continue }
            guard live.session.subscription(to: channel) == nil else { continue }
            register(live, channel)
            switch channel {
            case .inbox: break
            case .broadcast(let name) where identity.isEntitled(to: channel):
                if !broadcasts.contains(name) { broadcasts.append(name) }
            case .broadcast, .conversation: asked.append(channel)
            }
        }
        gateway.order(
            .snapshot(identity.user, broadcasts: broadcasts, asked: asked, most: live.isUnheard ? 0 : most), for: live, origin,
            .connect(requests))
        return true
    }

    /// The store could not answer `connect`. The client may try it again; until then the session follows nothing.
    func abandonConnect(_ live: LiveSession) {
        for subscription in live.session.abandonConnect() { state.fanOut.leave(subscription) }
        if let user = live.session.identity?.user { state.table.users.remove(live.id, of: user) }
        live.user = Users.nobody
    }

    /// No other command was obeyed since the snapshot was asked for, so what was registered then is still there.
    func connected(
        _ live: LiveSession, _ origin: CommandOrigin, _ states: [ChannelState], more: Bool, _ requests: [SubscriptionRequest]
    ) {
        guard let identity = live.session.identity else { return }
        if !live.isForOneRequest, let off = state.switchboard.effective(.realtime, for: identity) {
            // It was switched off since the token was looked at.
            state.refuse(live, origin, Refusal(off, now: state.now), isLoud: true)
            return state.end(live, .featureOff)
        }
        var refused: [Welcome.RefusedChannel] = []
        var openings: [(subscription: Session.Subscription, state: Int, since: Seq?)] = []
        var totals = Counters()
        var isFollowed = [Bool](repeating: false, count: states.count)
        let index = ChannelIndex(different: states.map(\.channel))
        var asked = ChannelIndex()
        for (number, request) in requests.enumerated() {
            guard let channel = Channel(wireName: request.channel, for: identity.user) else {
                refused.append(.init(channel: request.channel, code: .unknownChannel))
                continue
            }
            guard asked.insert(channel) else { continue }
            guard let known = live.session.subscription(to: channel) else {
                // The request named too many channels, or the user's right to this one was withdrawn since.
                let isOneTooMany = number >= state.limits.session.subscriptions
                refused.append(.init(channel: request.channel, code: isOneTooMany ? .limitExceeded : .forbidden))
                continue
            }
            let subscription = live.session.subscriptions[known]
            guard let row = index.position(of: channel) else {
                refused.append(.init(channel: request.channel, code: .forbidden))
                unregister(live, subscription.registration)
                continue
            }
            let since = request.start.position(head: states[row].head, first: states[row].first)
            let unknown = request.isOutdated(in: state.epoch) ? ErrorCode.positionUnknown : nil
            if let code = unknown ?? since.flatMap({ states[row].refusal(of: $0)?.code }) {
                refused.append(.init(channel: request.channel, code: code))
                unregister(live, subscription.registration)
                continue
            }
            openings.append((subscription, row, since))
            isFollowed[row] = true
            totals += states[row].counters
        }
        let welcome = Welcome(
            session: live.session.id, user: identity.user, time: state.now, tokenExpiresAt: identity.expiresAt, epoch: state.epoch,
            terms: terms, channels: zip(states, isFollowed).map { ListedChannel($0, isSubscribed: $1, epoch: state.epoch) }, totals: totals,
            more: more || identity.grantsMoreBroadcasts(than: state.limits.session.subscriptions), refused: refused,
            switched: state.switchboard.told(to: identity, following: openings.map(\.subscription.channel)),
            credential: live.isResumable && !live.isForOneRequest ? state.table.credential(of: live.id)?.text : nil,
            position: live.isResumable
                ? PositionText.write(
                    openings.map { ($0.subscription.channel, $0.since ?? states[$0.state].head) }, epoch: state.epoch) : nil)
        live.session.welcome()
        live.activeAt = state.loop.now
        identityChanged(live)
        // One message with a line for each: a connect is answered in one frame.
        state.outbound.pushLines(to: live.id) { lines in
            lines.add(replyTo: origin) { ServerMessage.connected(re: $0, welcome, into: &$1) }
            for opening in openings {
                tellReceipts(live, states[opening.state], in: &lines)
                begin(live, opening.subscription, states[opening.state], opening.since, in: &lines)
            }
            addEarlyPushes(live, to: &lines)
        }
    }

    /// The pushes that waited for the reply which stands before them.
    private func addEarlyPushes(_ live: LiveSession, to lines: inout MessageLines) {
        let due = state.early.take(live.id) { registration in
            live.session.subscription(registered: registration).map { state.fanOut.isGranted(live.session.subscriptions[$0]) }
        }
        for json in due { lines.add { $0.append(contentsOf: json) } }
    }

    // MARK: refresh

    /// The token of `refresh` is verified. False: it is of another user, and nothing changes.
    func refreshed(_ live: LiveSession, _ origin: CommandOrigin, _ identity: Identity) -> Bool {
        guard let old = live.session.identity, live.session.identify(identity) else {
            state.refuse(live, origin, .subjectChanged, "token: belongs to another user than this connection", isLoud: true)
            return false
        }
        identityChanged(live)
        for index in live.session.lostSubscriptions(from: old).reversed() {
            let subscription = leave(live, at: index)
            state.outbound.push(to: live.id) { ServerMessage.signal(.unsubscribed(subscription.channel), into: &$0) }
        }
        // What the member table granted may have been withdrawn a moment ago: the store is asked.
        for subscription in live.session.subscriptions
        where !identity.isEntitled(to: subscription.channel) && state.fanOut.isGranted(subscription) {
            gateway.recount(live, subscription)
        }
        let now = state.now
        state.outbound.reply(live, origin) { ServerMessage.refreshed(re: $0, tokenExpiresAt: identity.expiresAt, now: now, into: &$1) }
        return true
    }

    // MARK: subscribe

    func subscribe(_ live: LiveSession, _ channel: Channel, _ start: SubscriptionStart, _ origin: CommandOrigin) {
        guard let identity = live.session.identity else { return }
        let registration = register(live, channel)
        gateway.order(
            .state(identity.user, channel, entitled: identity.isEntitled(to: channel)), for: live, origin,
            .subscribe(registration, start))
    }

    func subscribed(
        _ live: LiveSession, _ origin: CommandOrigin, _ registration: UInt32, _ channelState: ChannelState, _ start: SubscriptionStart
    ) {
        guard let index = live.session.subscription(registered: registration) else { return refuseEnded(live, origin) }
        let since = start.position(head: channelState.head, first: channelState.first)
        if let since, let refusal = channelState.refusal(of: since) {
            unregister(live, registration)
            return state.refuse(live, origin, refusal)
        }
        let listed = ListedChannel(channelState, isSubscribed: true, since: since ?? channelState.head, epoch: state.epoch)
        state.outbound.pushLines(to: live.id) { lines in
            lines.add(replyTo: origin) { ServerMessage.channelState(re: $0, listed, into: &$1) }
            tellReceipts(live, channelState, in: &lines)
            begin(live, live.session.subscriptions[index], channelState, since, in: &lines)
            addEarlyPushes(live, to: &lines)
        }
        counters.changedSet(of: live, by: channelState.counters)
    }

    /// Subscribing again asks for the state; with an earlier position the entries come again.
    func restate(_ live: LiveSession, _ index: Int, _ start: SubscriptionStart, _ origin: CommandOrigin) {
        guard let identity = live.session.identity else { return }
        let subscription = live.session.subscriptions[index]
        let channel = subscription.channel
        let isEntitled = state.fanOut.isGranted(subscription) || identity.isEntitled(to: channel)
        gateway.order(
            .state(identity.user, channel, entitled: isEntitled), for: live, origin,
            .restate(subscription.registration, start))
    }

    /// A position beyond the head is refused, and the subscription goes on as it was.
    func restated(
        _ live: LiveSession, _ origin: CommandOrigin, _ registration: UInt32, _ channelState: ChannelState, _ start: SubscriptionStart
    ) {
        guard let index = live.session.subscription(registered: registration) else { return refuseEnded(live, origin) }
        let since = start.position(head: channelState.head, first: channelState.first)
        if let since, let refusal = channelState.refusal(of: since) { return state.refuse(live, origin, refusal) }
        noteBlocks(live, channelState)
        let subscription = live.session.subscriptions[index]
        let position = state.fanOut.subscriber(subscription)?.position
        let isRewound = since.map { rewind(live, subscription, to: $0) } ?? false
        let listed = ListedChannel(channelState, isSubscribed: true, since: isRewound ? since : position, epoch: state.epoch)
        state.outbound.pushLines(to: live.id) { lines in
            lines.add(replyTo: origin) { ServerMessage.channelState(re: $0, listed, into: &$1) }
            tellReceipts(live, channelState, in: &lines)
        }
        if isRewound { replay.orderPage(live, subscription) }
    }

    /// True when entries behind `position` had been sent, and are now to be sent again. The caller asks for the page.
    func rewind(_ live: LiveSession, _ subscription: Session.Subscription, to position: Seq) -> Bool {
        guard let sent = state.fanOut.grantedPosition(subscription), position < sent else { return false }
        live.session.rewound(subscription.channel, from: sent)
        _ = state.fanOut.update(subscription) { $0.rewind(to: position) }
        return true
    }

    /// The subscription was ended by an `unsubscribe` behind it, or by a `refresh` that took the right to it.
    private func refuseEnded(_ live: LiveSession, _ origin: CommandOrigin) {
        state.refuse(live, origin, .notSubscribed, "the subscription was ended before it had begun")
    }

    /// The start of a subscription is known: the session reads what is missing, or is live.
    private func begin(
        _ live: LiveSession, _ subscription: Session.Subscription, _ channelState: ChannelState, _ since: Seq?, in lines: inout MessageLines
    ) {
        noteBlocks(live, channelState, begins: true)
        state.fanOut.note(channelState)
        begins(live, subscription)
        guard let isBehind = state.fanOut.update(subscription, { $0.open(channelState, since: since) }) else { return }
        if live.isResumable { state.table.resumable[live.id]?.started[subscription.registration] = since ?? channelState.head }
        expiries.note(channelState.nextExpiry, in: channelState.channel)
        if isBehind {
            replay.orderPage(live, subscription)
        } else {
            lines.add { ServerMessage.signal(.live(subscription.channel, since ?? channelState.head), into: &$0) }
        }
    }

    // MARK: Registrations

    @discardableResult
    private func register(_ live: LiveSession, _ channel: Channel) -> UInt32 {
        let (roster, slot) = state.fanOut.join(channel, Subscriber(session: live.id, user: live.user))
        registrations &+= 1
        // The roster's own name, so that all its sessions share one string.
        live.session.joined(
            Session.Subscription(
                channel: state.fanOut.rosters[roster]?.channel ?? channel, roster: UInt32(truncatingIfNeeded: roster),
                slot: UInt32(truncatingIfNeeded: slot), registration: registrations))
        return registrations
    }

    /// Gives up a subscription that the store refused.
    func unregister(_ live: LiveSession, _ registration: UInt32) {
        guard let index = live.session.subscription(registered: registration) else { return }
        leave(live, at: index)
    }

    @discardableResult
    func leave(_ live: LiveSession, at index: Int) -> Session.Subscription {
        let subscription = live.session.left(at: index)
        if let left = state.fanOut.subscriber(subscription), left.isGranted { counters.changedSet(of: live, by: left.counters) }
        state.fanOut.leave(subscription)
        if live.isResumable { state.table.resumable[live.id]?.started[subscription.registration] = nil }
        return subscription
    }

    // MARK: Resuming

    /// See `SessionLoop.resume`.
    func resume(_ live: LiveSession, behind text: String?) -> Bool {
        guard let kept = state.table.resumable[live.id], let user = live.session.identity?.user else { return false }
        var known: [Channel: Seq] = [:]
        if let text {
            guard let positions = PositionText.read(text, for: user), positions.epoch == nil || positions.epoch == state.epoch
            else { return false }
            for (channel, seq) in positions.channels { known[channel] = seq }
        }
        for subscription in live.session.subscriptions where state.fanOut.isGranted(subscription) {
            guard let position = known[subscription.channel] ?? kept.started[subscription.registration] else { continue }
            if rewind(live, subscription, to: position) { replay.orderPage(live, subscription) }
            gateway.recount(live, subscription, retell: true)
        }
        // The signal that told of a withdrawn right may be among the frames that did not arrive.
        for channel in known.keys where live.session.subscription(to: channel) == nil {
            state.outbound.push(to: live.id) { ServerMessage.signal(.unsubscribed(channel), into: &$0) }
        }
        // A channel whose page was put off because the client did not read has nothing to rewind.
        replay.readOn(live)
        return true
    }

    // MARK: What the store counted

    /// Tells how far the other members are. The session registered before the store was asked, so it also hears who moved since.
    private func tellReceipts(_ live: LiveSession, _ channelState: ChannelState, in lines: inout MessageLines) {
        guard !channelState.progress.isEmpty, let user = live.session.identity?.user else { return }
        for member in channelState.receipts(for: user) {
            lines.add {
                ServerMessage.receipt(channelState.channel, of: member.user, delivered: member.delivered, read: member.read, into: &$0)
            }
        }
    }

    /// - Parameter retells: the client is told cursor, receipts and counters whether they have changed or not.
    func completeRecount(_ live: LiveSession, _ registration: UInt32, _ reply: StoreReply, retells: Bool) {
        if reply == .failed(.unavailable) {
            live.hasMissedEvents = true
            return replay.stall(live.id)
        }
        guard let index = live.session.subscription(registered: registration) else { return }
        let channelState: ChannelState
        switch reply {
        case .state(let answered): channelState = answered
        case .failed(.forbidden):
            // The event that told of the withdrawn right was missed.
            let ended = leave(live, at: index)
            return state.outbound.push(to: live.id) { ServerMessage.signal(.unsubscribed(ended.channel), into: &$0) }
        default: return
        }
        noteBlocks(live, channelState)
        let subscription = live.session.subscriptions[index]
        state.outbound.pushLines(to: live.id) { tellReceipts(live, channelState, in: &$0) }
        let known = state.fanOut.subscriber(subscription)?.cursorVersion
        adopt(live, subscription, channelState)
        // Another session may have moved the cursor without this one being told.
        if let known, let version = state.fanOut.subscriber(subscription)?.cursorVersion, version > known || retells {
            state.outbound.push(to: live.id) { ServerMessage.cursor(channelState, into: &$0) }
        }
        if retells {
            _ = state.fanOut.update(subscription) { $0.isCountersStale = true }
            counters.changed(channelState.channel)
        }
    }

    /// Another hub changed what the client knows of the channel.
    func rereadState(_ live: LiveSession, _ subscription: Session.Subscription) { gateway.recount(live, subscription) }

    // MARK: Who has blocked the user

    private func noteBlocks(_ live: LiveSession, _ channelState: ChannelState, begins: Bool = false) {
        live.session.note(hiddenFrom: channelState.hiddenFrom, in: channelState.channel)
        presence.know(channelState, of: live, begins: begins)
    }

    /// A subscription whose state is still to come is read again, too: its state may be older.
    func rereadHiding(_ live: LiveSession, _ subscription: Session.Subscription) {
        gateway.reread(live, subscription, .hiding(subscription.registration))
    }

    /// The client is told nothing, because a user does not learn who has blocked them.
    func completeHiding(_ live: LiveSession, _ registration: UInt32, _ reply: StoreReply) {
        guard case .state(let channelState) = reply else {
            if reply != .failed(.unavailable) { return }
            live.hasMissedEvents = true
            return replay.stall(live.id)
        }
        guard live.session.subscription(registered: registration) != nil else { return }
        noteBlocks(live, channelState)
    }

    /// Takes over counters computed by the store; asks again when newer entries were counted since.
    func adopt(_ live: LiveSession, _ subscription: Session.Subscription, _ channelState: ChannelState) {
        expiries.note(channelState.nextExpiry, in: channelState.channel)
        guard let (isAdopted, isStale) = state.fanOut.update(subscription, { ($0.adopt(channelState), $0.isCountersStale) }) else { return }
        if !isAdopted { return gateway.recount(live, subscription) }
        // An ack alone changes no counters.
        if isStale { counters.changed(channelState.channel) }
    }
}

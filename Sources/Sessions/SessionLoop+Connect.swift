package import Auth
import Linux
import Messaging
import Reactor
import Telemetry

// `connect`, `refresh` and `subscribe`: who is it, what may they hear, and from where on.
extension SessionLoop {
    func connect(_ live: LiveSession, _ id: UInt64?, _ token: String?, _ requests: [SubscriptionRequest]) {
        guard let token else {
            refuse(live, id, .invalidToken, "token: none in connect, and none came with the handshake")
            return
        }
        if !handshakeTokens.isEmpty { handshakeTokens[live.key] = nil }
        check(live, id, token, isRefresh: false, requests: requests)
    }

    /// Verifies a token and goes on with what it was for.
    func check(
        _ live: LiveSession, _ id: UInt64?, _ token: String, isRefresh: Bool, requests: [SubscriptionRequest],
        question: KeyQuestion = .unasked
    ) {
        let now = now
        switch verifier.verify(token, now: now.milliseconds / 1_000) {
        case .accepted(let principal):
            metrics.tokensAccepted.add()
            guard let identity = Identity(principal, leeway: verifier.policy.leeway) else {
                reject(live, id, .invalidToken, "token: the subject is empty, too long or has control characters")
                return
            }
            isRefresh ? refreshed(live, id, identity) : identified(live, id, identity, requests)
        case .rejected(let rejection):
            metrics.tokensRejected.add(rejection.name)
            reject(live, id, rejection == .expired ? .tokenExpired : .invalidToken, "token: \(rejection.name)")
        case .unknownKey(let kid):
            switch question {
            case .answered:
                metrics.tokensRejected.add("unknown_key")
                return reject(live, id, .invalidToken, "token: unknown_key")
            case .unanswered:
                metrics.tokensRejected.add("key_unavailable")
                return refuse(live, id, .unavailable, "token: its key is not known yet; the keys are being fetched", replyAnyway: true)
            case .unasked: break
            }
            let waiting = WaitingTokens.Token(
                key: live.key, id: id, token: token, kid: kid, isRefresh: isRefresh, requests: requests,
                deadline: loop.now + limits.keyWait)
            guard waitingTokens.append(waiting) else {
                metrics.tokensRejected.add("too_many_waiting")
                return refuse(live, id, .unavailable, "token: too many tokens wait for their keys", replyAnyway: true)
            }
            if !isRefresh { live.session.awaitKeys() }
            live.inFlight += 1
            services.requestKey(kid)
            watchWaiting()
        }
    }

    /// Whether the source of the keys was asked for a token's key. Only its word makes a token invalid: a key may be minutes old, and the
    /// source away or not to be asked again so soon.
    enum KeyQuestion { case unasked, answered, unanswered }

    /// One timer, for the token that has waited longest.
    private func watchWaiting() {
        guard !isKeyTimerSet, let deadline = waitingTokens.nextDeadline else { return }
        isKeyTimerSet = true
        loop.after(max(.milliseconds(1), deadline - loop.now)) { [unowned self] in
            isKeyTimerSet = false
            checkAgain(waitingTokens.takeDue(at: loop.now), .unanswered)
            watchWaiting()
        }
    }

    /// New keys came, or the wait for them is over.
    func checkAgain(_ tokens: [WaitingTokens.Token], _ question: KeyQuestion) {
        for waiting in tokens {
            guard let live = sessions[waiting.key] else { continue }
            settled(live)
            defer { closeLeaving(live) }
            if !waiting.isRefresh { _ = live.session.abandonConnect() }
            check(live, waiting.id, waiting.token, isRefresh: waiting.isRefresh, requests: waiting.requests, question: question)
        }
    }

    /// A connection with a token that cannot be accepted is told why, and closed: the client must get a new token first.
    private func reject(_ live: LiveSession, _ id: UInt64?, _ code: ErrorCode, _ reason: String) {
        refuse(live, id, code, reason, replyAnyway: true)
        guard live.session.phase != .open else { return }
        outlet.close(live.key, code == .tokenExpired ? .tokenExpired : .tokenInvalid)
    }

    // MARK: connect

    private func identified(_ live: LiveSession, _ id: UInt64?, _ identity: Identity, _ requests: [SubscriptionRequest]) {
        guard live.session.identify(identity) else {
            refuse(live, id, .subjectChanged, "token: belongs to another user than this connection", replyAnyway: true)
            return
        }
        if live.user == Users.nobody { live.user = users.add(live.key, for: identity.user) }
        outlet.identityChanged(live.key)

        // Register first, then read: an entry committed after the snapshot then passes by the roster.
        let most = limits.session.subscriptions
        var broadcasts = identity.broadcasts(limit: most)
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
        order(.snapshot(identity.user, broadcasts: broadcasts, asked: asked, most: most), live, id, .connect(requests))
    }

    @discardableResult
    func register(_ live: LiveSession, _ channel: Channel) -> UInt32 {
        let (roster, place) = fanOut.join(channel, Subscriber(key: live.key, user: live.user, format: live.format))
        registrations &+= 1
        // The roster's own name, so that all its sessions share one string.
        live.session.joined(
            Session.Subscription(
                channel: fanOut.rosters[roster]?.channel ?? channel, roster: UInt32(truncatingIfNeeded: roster),
                place: UInt32(truncatingIfNeeded: place), registration: registrations))
        return registrations
    }

    /// Gives up a subscription that the store refused.
    func unregister(_ live: LiveSession, _ registration: UInt32) {
        guard let index = live.session.subscription(registered: registration) else { return }
        fanOut.leave(live.session.left(at: index))
    }

    /// Nothing else was obeyed since the snapshot was asked for, so what was registered then is still there.
    func connected(
        _ live: LiveSession, _ id: UInt64?, _ states: [ChannelState], more: Bool, _ requests: [SubscriptionRequest]
    ) {
        guard let identity = live.session.identity else { return }
        var refused: [Welcome.RefusedChannel] = []
        var openings: [(subscription: Session.Subscription, place: Int, since: Seq?)] = []
        var isFollowed = [Bool](repeating: false, count: states.count)
        let places = ChannelIndex(different: states.map(\.channel))
        var asked = ChannelIndex()
        for request in requests {
            guard let channel = Channel(wireName: request.channel, for: identity.user) else {
                refused.append(.init(channel: request.channel, code: .unknownChannel))
                continue
            }
            guard asked.insert(channel) else { continue }
            guard let index = live.session.subscription(to: channel) else {
                refused.append(.init(channel: request.channel, code: .limitExceeded))
                continue
            }
            let subscription = live.session.subscriptions[index]
            guard let place = places.place(of: channel) else {
                refused.append(.init(channel: request.channel, code: .forbidden))
                unregister(live, subscription.registration)
                continue
            }
            if let since = request.since, since > states[place].head {
                refused.append(.init(channel: request.channel, code: .positionUnknown))
                unregister(live, subscription.registration)
                continue
            }
            openings.append((subscription, place, request.since))
            isFollowed[place] = true
        }
        let welcome = Welcome(
            session: live.session.id, user: identity.user, time: now, tokenExpiresAt: identity.expiresAt, terms: terms,
            channels: zip(states, isFollowed).map { ChannelPlace($0, isSubscribed: $1) }, more: more, refused: refused)
        live.session.welcome()
        // One message with a line for each: a connect is answered in one frame.
        pushLines(to: live.key) { lines in
            if let id { lines.add { ServerMessage.connected(re: id, welcome, into: &$0) } }
            for opening in openings {
                tellReceipts(live, states[opening.place], in: &lines)
                begin(live, opening.subscription, states[opening.place], opening.since, in: &lines)
            }
        }
    }

    // MARK: refresh

    private func refreshed(_ live: LiveSession, _ id: UInt64?, _ identity: Identity) {
        guard let old = live.session.identity, live.session.identify(identity) else {
            refuse(live, id, .subjectChanged, "token: belongs to another user than this connection", replyAnyway: true)
            return
        }
        outlet.identityChanged(live.key)
        for index in live.session.lostSubscriptions(from: old).reversed() {
            let subscription = live.session.left(at: index)
            fanOut.leave(subscription)
            push(to: live.key) { ServerMessage.signal(.unsubscribed(subscription.channel), into: &$0) }
        }
        let now = now
        reply(live, id) { ServerMessage.refreshed(re: $0, tokenExpiresAt: identity.expiresAt, now: now, into: &$1) }
    }

    // MARK: subscribe

    func subscribe(_ live: LiveSession, _ channel: Channel, _ since: Seq?, id: UInt64?) {
        guard let identity = live.session.identity else { return }
        let registration = register(live, channel)
        order(
            .state(identity.user, channel, entitled: identity.isEntitled(to: channel)), live, id, .subscribe(registration, since: since))
    }

    /// Subscribing again is a question for the state; with an earlier position the entries come again.
    func restate(_ live: LiveSession, _ index: Int, _ rewind: Seq?, id: UInt64?) {
        guard let identity = live.session.identity else { return }
        let subscription = live.session.subscriptions[index]
        let channel = subscription.channel
        let isEntitled = fanOut.isGranted(subscription) || identity.isEntitled(to: channel)
        order(.state(identity.user, channel, entitled: isEntitled), live, id, .restate(subscription.registration, rewind: rewind))
    }

    func restated(_ live: LiveSession, _ id: UInt64?, _ registration: UInt32, _ state: ChannelState, _ rewind: Seq?) {
        guard let index = live.session.subscription(registered: registration) else { return refuseEnded(live, id) }
        let subscription = live.session.subscriptions[index]
        let position = fanOut.subscriber(subscription)?.position
        let isRewound = fanOut.update(subscription) { subscriber -> Bool in
            guard let rewind, subscriber.isGranted, rewind < subscriber.position else { return false }
            subscriber.rewind(to: rewind)
            return true
        }
        if isRewound == true, let position { live.session.rewound(registration, from: position) }
        let place = ChannelPlace(state, isSubscribed: true, since: isRewound == true ? rewind : position)
        pushLines(to: live.key) { lines in
            if let id { lines.add { ServerMessage.channelState(re: id, place, into: &$0) } }
            tellReceipts(live, state, in: &lines)
        }
        if isRewound == true { orderPage(live, subscription) }
    }

    func subscribed(_ live: LiveSession, _ id: UInt64?, _ registration: UInt32, _ state: ChannelState, _ since: Seq?) {
        guard let index = live.session.subscription(registered: registration) else { return refuseEnded(live, id) }
        if let since, since > state.head {
            unregister(live, registration)
            refuse(live, id, .positionUnknown, "since: \(since.rawValue) is beyond the newest entry, \(state.head.rawValue)")
            return
        }
        let place = ChannelPlace(state, isSubscribed: true, since: since ?? state.head)
        pushLines(to: live.key) { lines in
            if let id { lines.add { ServerMessage.channelState(re: id, place, into: &$0) } }
            tellReceipts(live, state, in: &lines)
            begin(live, live.session.subscriptions[index], state, since, in: &lines)
        }
    }

    /// Taken back by an `unsubscribe` that came behind it, or by a `refresh` that took the right to it.
    private func refuseEnded(_ live: LiveSession, _ id: UInt64?) {
        refuse(live, id, .notSubscribed, "the subscription was ended before it had begun")
    }

    /// The start of a subscription is known: read what is missing, or be live.
    private func begin(
        _ live: LiveSession, _ subscription: Session.Subscription, _ state: ChannelState, _ since: Seq?, in lines: inout MessageLines
    ) {
        guard let isBehind = fanOut.update(subscription, { $0.open(state, since: since) }) else { return }
        noteExpiry(state.nextExpiry, in: state.channel)
        if isBehind {
            orderPage(live, subscription)
        } else {
            lines.add { ServerMessage.signal(.live(subscription.channel, since ?? state.head), into: &$0) }
        }
    }

    /// How far the others are. Registered before the store was asked, the session also hears who moved since.
    func tellReceipts(_ live: LiveSession, _ state: ChannelState, in lines: inout MessageLines) {
        guard !state.progress.isEmpty, let user = live.session.identity?.user else { return }
        for member in state.receipts(for: user) {
            lines.add { ServerMessage.receipt(state.channel, of: member.user, delivered: member.delivered, read: member.read, into: &$0) }
        }
    }

    func tellLive(_ live: LiveSession, _ subscription: Session.Subscription) {
        let position = fanOut.subscriber(subscription)?.position ?? .zero
        push(to: live.key) { ServerMessage.signal(.live(subscription.channel, position), into: &$0) }
    }
}

extension Identity {
    /// The session may last as long as the token would be accepted.
    package init?(_ principal: Principal, leeway: Duration) {
        guard let user = UserID(principal.subject) else { return nil }
        self.init(
            user: user, institution: principal.institution, roles: principal.roles, channels: principal.channels,
            expiresAt: Timestamp(milliseconds: min(principal.expiresAt + leeway.components.seconds, Principal.latestExpiry) * 1_000))
    }
}

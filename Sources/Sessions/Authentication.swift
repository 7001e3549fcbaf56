import Auth
import Linux
import Messaging
import Pacing
import Reactor
import Telemetry

/// Verifies the tokens of `connect` and `refresh`. A token whose key is unknown waits until the keys have been fetched.
final class Authentication {
    /// What a token was sent for.
    enum Use {
        case connect([SubscriptionRequest])
        case refresh

        var isConnect: Bool {
            if case .connect = self { true } else { false }
        }
    }

    /// Whether the source of the keys was asked since a token with an unknown key came. Only its answer makes the token invalid: the hub's keys
    /// may be minutes old, and the source away or not to be asked again so soon.
    enum KeyQuestion { case unasked, answered, unanswered }

    private let state: LoopState
    private let verifier: TokenVerifier
    private let revocation: Revocation
    private(set) var waiting = WaitingTokens()
    private var isTimerSet = false
    private var doubtful = DoubtfulTokens()
    /// Tokens that came with the request that opened a session. `connect` without a token uses them, and they are forgotten.
    private var handshakeTokens: [SessionID: String] = [:]
    /// Is given every verified identity; false: the session may not have it. The loop sets it once: `Subscriptions.identified` or `refreshed`.
    var verified: (LiveSession, CommandOrigin, Identity, Use) -> Bool = { _, _, _, _ in false }
    /// The token of a `refresh` was refused. The loop sets it once: `CommandPaces.refreshFailed`.
    var refreshFailed: (LiveSession) -> Void = { _ in }
    /// One of a session's waiting tokens is done with. The loop sets it once: `SessionLoop.settled`.
    var settled: (LiveSession) -> Void = { _ in }

    init(_ state: LoopState, verifier: TokenVerifier) {
        self.state = state
        self.verifier = verifier
        revocation = Revocation(state)
    }

    func keep(handshakeToken: String, of id: SessionID) { handshakeTokens[id] = handshakeToken }

    func forget(_ id: SessionID) {
        if !handshakeTokens.isEmpty { handshakeTokens[id] = nil }
    }

    /// Whether the token is valid and of this user; nil when its key is not known yet, which the hub then asks for.
    func isToken(_ token: String, of user: UserID) -> Result<Bool, TokenRejection>? {
        switch verifier.verify(token, now: state.now.milliseconds / 1_000) {
        case .accepted(let principal): return .success(UserID(principal.subject) == user)
        case .rejected(let rejection): return .failure(rejection)
        case .unknownKey(let kid):
            state.services.requestKey(kid)
            return doubtful.isDecided(token, at: .now) ? .failure(.unknownKey) : nil
        }
    }

    /// - Parameter token: nil: the one that came when the session was opened.
    func connect(_ live: LiveSession, _ origin: CommandOrigin, token: String?, _ requests: [SubscriptionRequest]) {
        guard let token = token ?? handshakeTokens[live.id] else {
            state.refuse(live, origin, .invalidToken, "token: none in connect, and none came with the handshake")
            return
        }
        forget(live.id)
        check(live, origin, token, .connect(requests), .unasked)
    }

    func refresh(_ live: LiveSession, _ origin: CommandOrigin, token: String) { check(live, origin, token, .refresh, .unasked) }

    private func check(_ live: LiveSession, _ origin: CommandOrigin, _ token: String, _ use: Use, _ question: KeyQuestion) {
        let (verdict, key) = verifier.judge(token.utf8.span, now: state.now.milliseconds / 1_000)
        switch verdict {
        case .accepted(let principal):
            state.metrics.tokensAccepted.add()
            let latest = Timestamp(milliseconds: state.now.milliseconds &+ state.limits.life.wholeMilliseconds)
            guard let identity = Identity(principal, leeway: verifier.policy.leeway, latest: latest) else {
                return reject(live, origin, .invalidToken, "token: the subject is empty, too long or has control characters")
            }
            if verified(live, origin, identity, use) { state.table.setKey(key, of: live.id) }
        case .rejected(let rejection):
            state.metrics.tokensRejected.add(rejection.name)
            reject(live, origin, rejection == .expired ? .tokenExpired : .invalidToken, "token: \(rejection.name)")
        case .unknownKey(let kid):
            switch question {
            case .answered: rejectUnknownKey(live, origin)
            case .unanswered:
                state.metrics.tokensRejected.add("key_unavailable")
                state.refuse(
                    live, origin, .unavailable, "token: its key is not known yet; the keys are being fetched", isLoud: true)
            case .unasked:
                // A key that is published only after its first tokens is found although they are refused.
                state.services.requestKey(kid)
                if doubtful.isDecided(token, at: .now) { rejectUnknownKey(live, origin) } else { wait(live, origin, token, use) }
            }
        }
    }

    private func rejectUnknownKey(_ live: LiveSession, _ origin: CommandOrigin) {
        state.metrics.tokensRejected.add("unknown_key")
        reject(live, origin, .invalidToken, "token: unknown_key")
    }

    private func wait(_ live: LiveSession, _ origin: CommandOrigin, _ token: String, _ use: Use) {
        let token = WaitingTokens.Token(
            session: live.id, origin: origin, token: token, use: use, since: .now, deadline: state.loop.now + state.limits.keyWait)
        guard waiting.append(token) else {
            state.metrics.tokensRejected.add("too_many_waiting")
            return state.refuse(live, origin, .unavailable, "token: too many tokens wait for their keys", isLoud: true)
        }
        if use.isConnect { live.session.awaitKeys() }
        live.inFlight += 1
        state.exchanges.hold(origin.exchange)
        setTimer()
    }

    /// One timer, for the token that has waited longest.
    private func setTimer() {
        guard !isTimerSet, let deadline = waiting.nextDeadline else { return }
        isTimerSet = true
        state.loop.after(max(.milliseconds(1), deadline - state.loop.now)) { [unowned self] in
            isTimerSet = false
            checkAgain(waiting.takeDue(at: state.loop.now), .unanswered)
            setTimer()
        }
    }

    /// The keys' source has answered, or has been silent for too long.
    func hear(_ news: KeyNews) {
        switch news {
        case .tooOld: verifier.suspend()
        case .keys(let keys, let asOf):
            let withdrawn = verifier.replace(keys: keys)
            // At once, because the numbers of withdrawn keys are used again.
            if !withdrawn.isEmpty { revocation.revoke(state.table.takeSessions(withKeys: Set(withdrawn))) }
            doubtful.heard(asOf: MonotonicInstant(nanoseconds: asOf.wholeNanoseconds))
            checkAgain(waiting.take { doubtful.isDecided($0.since) || isKeyKnown(of: $0.token) }, .answered)
        }
    }

    private func isKeyKnown(of token: String) -> Bool {
        if case .unknownKey = verifier.verify(token, now: state.now.milliseconds / 1_000) { false } else { true }
    }

    private func checkAgain(_ tokens: [WaitingTokens.Token], _ question: KeyQuestion) {
        for token in tokens {
            if let live = state.table[token.session] {
                if token.use.isConnect { _ = live.session.abandonConnect() }
                check(live, token.origin, token.token, token.use, question)
                settled(live)
            }
            state.exchanges.release(token.origin.exchange)
        }
    }

    /// Refuses a token and, before `connect` succeeded, ends the session: the client must get a new token first.
    private func reject(_ live: LiveSession, _ origin: CommandOrigin, _ code: ErrorCode, _ reason: String) {
        state.refuse(live, origin, code, reason, isLoud: true)
        guard live.session.phase != .open else { return refreshFailed(live) }
        state.end(live, code == .tokenExpired ? .tokenExpired : .tokenInvalid)
    }
}

extension Identity {
    /// The session may last as long as the token would be accepted, and not beyond `latest`.
    init?(_ principal: Principal, leeway: Duration, latest: Timestamp) {
        guard let user = UserID(principal.subject) else { return nil }
        let expiry = Timestamp(milliseconds: min(principal.expiresAt + leeway.components.seconds, Principal.latestExpiry) * 1_000)
        self.init(
            user: user, institution: principal.institution, roles: principal.roles, channels: principal.channels,
            expiresAt: min(expiry, latest))
    }
}

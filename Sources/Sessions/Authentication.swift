import Auth
import Linux
import Messaging
import Pacing
import Reactor
import Telemetry

/// Verifies what `connect` and `refresh` show: tokens, contexts that a gateway signed, and tickets. A token whose key is unknown waits until
/// the keys have been fetched.
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

    let state: LoopState
    let gateway: StoreGateway
    let verifier: TokenVerifier
    let contexts: ContextVerifier?
    let revocation: Revocation
    private(set) var waiting = WaitingTokens()
    private var isTimerSet = false
    private var doubtful = DoubtfulTokens()
    /// What came with the request that opened a session. `connect` without a token uses it, and it is forgotten.
    private var handshakes: [SessionID: Credential] = [:]
    /// Is given every verified identity; false: the session may not have it. The loop sets it once: `Subscriptions.identified` or `refreshed`.
    var verified: (LiveSession, CommandOrigin, Identity, Use) -> Bool = { _, _, _, _ in false }
    /// The token of a `refresh` was refused. The loop sets it once: `CommandPaces.refreshFailed`.
    var refreshFailed: (LiveSession) -> Void = { _ in }
    /// One of a session's waiting tokens is done with. The loop sets it once: `SessionLoop.settled`.
    var settled: (LiveSession) -> Void = { _ in }

    /// - Parameter contexts: nil: no gateway signs contexts for this hub.
    init(_ state: LoopState, gateway: StoreGateway, verifier: TokenVerifier, contexts: ContextVerifier?) {
        self.state = state
        self.gateway = gateway
        self.verifier = verifier
        self.contexts = contexts
        revocation = Revocation(state)
    }

    func keep(_ credential: Credential, of id: SessionID) { handshakes[id] = credential }

    func forget(_ id: SessionID) {
        if !handshakes.isEmpty { handshakes[id] = nil }
    }

    /// Whether the credential is valid and of this user; nil when its key is not known yet, which the hub then asks for.
    func isCredential(_ credential: Credential, of user: UserID) -> Result<Bool, TokenRejection>? {
        principal(of: credential).map { result in
            result.flatMap { principal in
                if let identity = identity(of: principal), revocation.fences.holdingBack(identity, now: state.now) != nil {
                    return .failure(.revoked)
                }
                return .success(UserID(principal.subject) == user)
            }
        }
    }

    /// Nil: its key is not known yet, and the hub asks for it.
    func principal(of credential: Credential) -> Result<Principal, TokenRejection>? {
        switch credential {
        case .context(let context): return Result { () throws(TokenRejection) in try principal(of: context) }
        case .token(let token):
            switch verifier.verify(token, now: state.now.milliseconds / 1_000) {
            case .accepted(let principal): return .success(principal)
            case .rejected(let rejection): return .failure(rejection)
            case .unknownKey(let kid):
                state.services.requestKey(kid)
                return doubtful.isDecided(token, at: .now) ? .failure(.unknownKey) : nil
            }
        }
    }

    private func principal(of context: SignedContext) throws(TokenRejection) -> Principal {
        guard let contexts else { throw .unknownKey }
        return try contexts.verify(context, now: state.now.milliseconds / 1_000)
    }

    /// - Parameter proof: nil: what came when the session was opened.
    func connect(_ live: LiveSession, _ origin: CommandOrigin, _ proof: IdentityProof?, _ requests: [SubscriptionRequest]) {
        let credential = handshakes[live.id]
        guard proof != nil || credential != nil else {
            return state.refuse(live, origin, .invalidToken, "token: none in connect, and none came with the handshake")
        }
        forget(live.id)
        switch proof {
        case .token(let token): check(live, origin, token, .connect(requests), .unasked)
        case .ticket(let ticket): take(ticket, live, origin, .connect(requests))
        case nil:
            switch credential {
            case .token(let token): check(live, origin, token, .connect(requests), .unasked)
            case .context(let context): check(live, origin, context, .connect(requests))
            case nil: break
            }
        }
    }

    func refresh(_ live: LiveSession, _ origin: CommandOrigin, _ proof: IdentityProof) {
        switch proof {
        case .token(let token): check(live, origin, token, .refresh, .unasked)
        case .ticket(let ticket): take(ticket, live, origin, .refresh)
        }
    }

    private func check(_ live: LiveSession, _ origin: CommandOrigin, _ context: SignedContext, _ use: Use) {
        do throws(TokenRejection) {
            _ = accept(try principal(of: context), live, origin, use)
        } catch {
            refuse(live, origin, error)
        }
    }

    private func refuse(_ live: LiveSession, _ origin: CommandOrigin, _ rejection: TokenRejection) {
        state.metrics.tokensRejected.add(rejection.name)
        reject(live, origin, rejection == .expired ? .tokenExpired : .invalidToken, "token: \(rejection.name)")
    }

    /// - Returns: whether the session has this identity now.
    private func accept(_ principal: Principal, _ live: LiveSession, _ origin: CommandOrigin, _ use: Use) -> Bool {
        state.metrics.tokensAccepted.add()
        guard let identity = identity(of: principal) else {
            reject(live, origin, .invalidToken, "token: the subject is empty, too long or has control characters")
            return false
        }
        return accept(identity, live, origin, use)
    }

    func identity(of principal: Principal) -> Identity? {
        let latest = Timestamp(milliseconds: state.now.milliseconds &+ state.limits.life.wholeMilliseconds)
        return Identity(principal, leeway: verifier.policy.leeway, latest: latest)
    }

    /// The last step of each way in: no proof passes a fence.
    func accept(_ identity: Identity, _ live: LiveSession, _ origin: CommandOrigin, _ use: Use) -> Bool {
        if let fence = revocation.fences.holdingBack(identity, now: state.now) {
            state.metrics.tokensRejected.add("fenced")
            state.refuse(
                live, origin, .tokenRevoked, "token: it was issued before the end of its login, or before a change of the user's rights",
                isLoud: true)
            if live.session.phase == .open { refreshFailed(live) } else { state.end(live, fence.endReason) }
            return false
        }
        return verified(live, origin, identity, use)
    }

    private func check(_ live: LiveSession, _ origin: CommandOrigin, _ token: String, _ use: Use, _ question: KeyQuestion) {
        let (verdict, key) = verifier.judge(token.utf8.span, now: state.now.milliseconds / 1_000)
        switch verdict {
        case .accepted(let principal):
            if accept(principal, live, origin, use) { state.table.setKey(key, of: live.id) }
        case .rejected(let rejection): refuse(live, origin, rejection)
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
    func reject(_ live: LiveSession, _ origin: CommandOrigin, _ code: ErrorCode, _ reason: String) {
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
            expiresAt: min(expiry, latest), login: principal.login.map { LoginMark($0) },
            issuedAt: principal.issuedAt.map { Timestamp(milliseconds: $0 * 1_000) })
    }
}

import Auth
import Linux
import Messaging
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

    /// Whether the source of the keys was asked for a token's key. Only its answer makes a token invalid: the hub's keys may be minutes old,
    /// and the source away or not to be asked again so soon.
    enum KeyQuestion { case unasked, answered, unanswered }

    private let state: LoopState
    private let verifier: TokenVerifier
    private(set) var waiting = WaitingTokens()
    private var isTimerSet = false
    private static let mostAbsentKeys = 1_024
    /// Keys that the source did not have since it last changed.
    private var absentKeys: Set<String?> = []
    /// Tokens that came with the request that opened a session. `connect` without a token uses them, and they are forgotten.
    private var handshakeTokens: [SessionID: String] = [:]
    /// Is given every verified identity. The loop sets it once: `Subscriptions.identified` or `refreshed`.
    var verified: (LiveSession, CommandOrigin, Identity, Use) -> Void = { _, _, _, _ in }
    /// One of a session's waiting tokens is done with. The loop sets it once: `SessionLoop.settled`.
    var settled: (LiveSession) -> Void = { _ in }

    init(_ state: LoopState, verifier: TokenVerifier) {
        self.state = state
        self.verifier = verifier
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
            return absentKeys.contains(kid) ? .failure(.unknownKey) : nil
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
        switch verifier.verify(token, now: state.now.milliseconds / 1_000) {
        case .accepted(let principal):
            state.metrics.tokensAccepted.add()
            guard let identity = Identity(principal, leeway: verifier.policy.leeway) else {
                return reject(live, origin, .invalidToken, "token: the subject is empty, too long or has control characters")
            }
            verified(live, origin, identity, use)
        case .rejected(let rejection):
            state.metrics.tokensRejected.add(rejection.name)
            reject(live, origin, rejection == .expired ? .tokenExpired : .invalidToken, "token: \(rejection.name)")
        case .unknownKey(let kid):
            switch question {
            case .answered:
                state.metrics.tokensRejected.add("unknown_key")
                reject(live, origin, .invalidToken, "token: unknown_key")
            case .unanswered:
                state.metrics.tokensRejected.add("key_unavailable")
                state.refuse(
                    live, origin, .unavailable, "token: its key is not known yet; the keys are being fetched", isLoud: true)
            case .unasked: wait(live, origin, token, use, kid)
            }
        }
    }

    private func wait(_ live: LiveSession, _ origin: CommandOrigin, _ token: String, _ use: Use, _ kid: String?) {
        let token = WaitingTokens.Token(
            session: live.id, origin: origin, token: token, kid: kid, use: use, deadline: state.loop.now + state.limits.keyWait)
        guard waiting.append(token) else {
            state.metrics.tokensRejected.add("too_many_waiting")
            return state.refuse(live, origin, .unavailable, "token: too many tokens wait for their keys", isLoud: true)
        }
        if use.isConnect { live.session.awaitKeys() }
        live.inFlight += 1
        state.exchanges.hold(origin.exchange)
        state.services.requestKey(kid)
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

    /// The keys' source has answered.
    func hear(keys: KeySet?, absent: [String?]) {
        if keys != nil || absentKeys.count + absent.count > Self.mostAbsentKeys { absentKeys = [] }
        absentKeys.formUnion(absent.prefix(Self.mostAbsentKeys))
        if let keys {
            verifier.replace(keys: keys)
            checkAgain(takeWaiting(), .answered)
        }
        if !absent.isEmpty { checkAgain(waiting.take(naming: Set(absent)), .answered) }
    }

    /// All tokens that wait, which then wait no more.
    func takeWaiting() -> [WaitingTokens.Token] { waiting.takeAll() }

    func checkAgain(_ tokens: [WaitingTokens.Token], _ question: KeyQuestion) {
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
        guard live.session.phase != .open else { return }
        state.end(live, code == .tokenExpired ? .tokenExpired : .tokenInvalid)
    }
}

extension Identity {
    /// The session may last as long as the token would be accepted.
    init?(_ principal: Principal, leeway: Duration) {
        guard let user = UserID(principal.subject) else { return nil }
        self.init(
            user: user, institution: principal.institution, roles: principal.roles, channels: principal.channels,
            expiresAt: Timestamp(milliseconds: min(principal.expiresAt + leeway.components.seconds, Principal.latestExpiry) * 1_000))
    }
}

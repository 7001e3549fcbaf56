import Linux
import Logging
import Messaging
import Pacing
import Reactor
import Telemetry

/// Refuses the commands of users who are too fast, and ends the sessions of those who do not slow down.
///
/// Owns the buckets of the loop's users. A user whose sessions are on several loops has buckets on each: a lock for each command would cost
/// every user more than this gives to one.
final class CommandPaces {
    /// Between two log lines about ended sessions.
    private static let reportInterval: Duration = .seconds(60)

    private let state: LoopState
    private var paces: UserPaces
    private var isTimerSet = false
    private var endedSinceReport = 0
    private var mayReport = true

    init(_ state: LoopState) {
        self.state = state
        paces = UserPaces(state.limits.paces)
    }

    /// Users whose buckets are kept.
    var activeUsers: Int { paces.activeUsers }
    private var now: Int64 { state.loop.now.nanoseconds }

    // MARK: Commands

    /// Whether the command comes too soon. Then it has been refused.
    func holdsBack(_ live: LiveSession, _ line: ParsedLine, _ exchange: ExchangeID?) -> Bool {
        guard live.session.phase == .open, let user = live.session.identity?.user else { return false }
        guard let wait = paces.take(line.cost, .commands, of: user, at: now) else {
            setTimer()
            return false
        }
        refuse(live, CommandOrigin(id: line.id, exchange: exchange), user, wait, "commands", "commands")
        return true
    }

    /// Whether the user has connected too often, or was ended for sending too much. Then `connect` has been refused.
    func holdsBackConnect(_ live: LiveSession, _ origin: CommandOrigin, of user: UserID) -> Bool {
        let banished = paces.wait(1, .refusals, of: user, at: now)
        guard let wait = banished ?? paces.wait(ClientCommand.Body.costOfConnect, .commands, of: user, at: now) else { return false }
        state.metrics.rateLimited.add("connects")
        state.refuse(live, origin, Refusal(.rateLimited, "this user has sent too much", retryAfter: wait), isLoud: true)
        if banished != nil { end(live, user) }
        return true
    }

    /// A ticket costs as much as the `connect` that it is for. Nil: the user may have one now.
    func waitForTicket(of user: UserID) -> Duration? {
        if let banished = paces.wait(1, .refusals, of: user, at: now) { return banished }
        defer { setTimer() }
        return paces.take(ClientCommand.Body.costOfConnect, .commands, of: user, at: now)
    }

    /// A session has ended: its `connect` is counted now, and delays those that follow.
    func countConnect(of live: LiveSession) {
        guard live.session.phase == .open, let user = live.session.identity?.user else { return }
        paces.charge(ClientCommand.Body.costOfConnect, .commands, to: user, at: now)
        setTimer()
    }

    // MARK: What commands ask for

    /// Whether the request to the store comes too soon. Then its command has been refused.
    func holdsBack(_ request: StoreRequest, for live: LiveSession, _ origin: CommandOrigin) -> Bool {
        guard let user = live.session.identity?.user else { return false }
        switch request {
        case .append(let draft, _):
            if let wait = paces.takeSend(of: user, in: draft.channel, at: now) {
                return refuse(live, origin, user, wait, "pair", "messages in this conversation")
            }
            return take(.sends, live, origin, user, "messages")
        case .page:
            // Charged with the length of the reply.
            guard let wait = paces.wait(1, .history, of: user, at: now) else { return false }
            return refuse(live, origin, user, wait, "history", "bytes of history")
        default: return false
        }
    }

    func holdsBackTyping(_ live: LiveSession, _ origin: CommandOrigin) -> Bool {
        guard let user = live.session.identity?.user else { return false }
        return take(.typing, live, origin, user, "typing signals")
    }

    func holdsBackRefresh(_ live: LiveSession, _ origin: CommandOrigin) -> Bool {
        guard let user = live.session.identity?.user, let wait = paces.wait(1, .refreshes, of: user, at: now) else { return false }
        return refuse(live, origin, user, wait, "refreshes", "tokens that cannot be accepted")
    }

    func refreshFailed(_ live: LiveSession) {
        guard let user = live.session.identity?.user else { return }
        paces.charge(1, .refreshes, to: user, at: now)
        setTimer()
    }

    /// A reply to `history` was written.
    func charge(historyBytes bytes: Int, to live: LiveSession) {
        guard let user = live.session.identity?.user else { return }
        paces.charge(bytes, .history, to: user, at: now)
        setTimer()
    }

    // MARK: Conversations

    /// Whether the user may begin a conversation; otherwise the time until then. An existing one may be opened at any time.
    func takeConversation(of user: UserID) -> Duration? {
        defer { setTimer() }
        return paces.take(1, .conversations, of: user, at: now)
    }

    func giveBackConversation(to live: LiveSession) {
        if let user = live.session.identity?.user { paces.giveBack(.conversations, to: user) }
    }

    func refuseConversation(_ live: LiveSession, _ origin: CommandOrigin, _ wait: Duration) {
        guard let user = live.session.identity?.user else { return }
        refuse(live, origin, user, wait, "conversations", "new conversations")
    }

    private func take(_ kind: UserPaces.Kind, _ live: LiveSession, _ origin: CommandOrigin, _ user: UserID, _ what: String) -> Bool {
        guard let wait = paces.take(1, kind, of: user, at: now) else {
            setTimer()
            return false
        }
        return refuse(live, origin, user, wait, "\(kind)", what)
    }

    // MARK: Refusals

    @discardableResult
    private func refuse(
        _ live: LiveSession, _ origin: CommandOrigin, _ user: UserID, _ wait: Duration, _ label: String, _ what: String
    ) -> Bool {
        state.metrics.rateLimited.add(label)
        state.refuse(live, origin, Refusal(.rateLimited, "too many \(what) in too short a time", retryAfter: wait))
        if paces.take(1, .refusals, of: user, at: now) != nil { end(live, user) }
        setTimer()
        return true
    }

    private func end(_ live: LiveSession, _ user: UserID) {
        guard !live.isEnding else { return }
        state.end(live, .rateLimited)
        endedSinceReport += 1
        guard mayReport else { return }
        state.log.warning(
            "sessions were ended because their user sent too much in too short a time",
            metadata: ["newest": "\(user.name)", "ended": "\(endedSinceReport)", "settings": "limits.*-per-second"])
        endedSinceReport = 0
        mayReport = false
        state.loop.after(Self.reportInterval) { [unowned self] in mayReport = true }
    }

    /// Forgets the users who are not active any more.
    private func setTimer() {
        guard !isTimerSet, !paces.isEmpty else { return }
        isTimerSet = true
        state.loop.after(UserPaces.period) { [unowned self] in
            isTimerSet = false
            paces.beginPeriod()
            setTimer()
        }
    }
}

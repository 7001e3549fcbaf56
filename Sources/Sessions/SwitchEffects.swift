package import Messaging
import Reactor

/// What the switches of the operators do to the sessions of one loop: clients are told, entries are held, and sessions end.
///
/// The table itself is in `LoopState.switchboard`, which is empty as long as nothing is switched. It counts for commands as soon as it has come;
/// the sessions are told of it in slices, each what counts then. A session is told again only when that has changed for it.
final class SwitchEffects {
    /// Sessions looked at per slice: no more pushes than a slice of the fan-out makes.
    private static let slice = FanOut.sliceDeliveries

    private let state: LoopState
    private let replay: Replay
    private let presence: PresencePushes
    /// The switches that all sessions have been told.
    private var applied = Switchboard()
    private var isWalking = false
    /// Changes with each table, so that a timer for an earlier one does nothing.
    private var number = 0
    private var isTicking = false

    init(_ state: LoopState, replay: Replay, presence: PresencePushes) {
        self.state = state
        self.replay = replay
        self.presence = presence
    }

    // MARK: The table

    func use(_ board: Switchboard) {
        number += 1
        state.switchboard = board
        state.switchboard.drop(upTo: state.now)
        waitForEnd()
        walk()
        tick()
    }

    /// The next switch that ends by itself. The store's next reading says so, too; this works while the database is away.
    private func waitForEnd() {
        guard let end = state.switchboard.nextEnd else { return }
        let (own, wait) = (number, max(1, end.milliseconds - state.now.milliseconds))
        // A longer timer is set again on the way.
        _ = state.loop.after(.milliseconds(min(wait, Self.longestTimer))) { [weak self] in
            guard let self, number == own else { return }
            if state.switchboard.nextEnd.map({ $0 <= self.state.now }) == true { use(state.switchboard) } else { waitForEnd() }
        }
    }

    private static let longestTimer: Int64 = 3_600_000

    // MARK: Sessions

    private func walk() {
        guard !isWalking, applied != state.switchboard else { return }
        isWalking = true
        let (before, goal) = (applied, state.switchboard)
        var next = 0
        state.loop.slice { [unowned self] in
            let end = min(next + Self.slice, state.table.slotCount)
            while next < end {
                if let live = state.table.session(inSlot: next) { changed(live, since: before) }
                next += 1
            }
            if next < state.table.slotCount { return true }
            isWalking = false
            applied = goal
            walk()
            return false
        }
    }

    /// The switches or the user's rights have changed.
    /// - Parameter before: the switches that the session was told; nil: it is told again in any case.
    func changed(_ live: LiveSession, since before: Switchboard?) {
        guard live.session.phase == .open, !live.isEnding, let identity = live.session.identity else { return }
        let told = state.switchboard.told(to: identity, following: live.channels)
        if before.map({ told != $0.told(to: identity, following: live.channels) }) ?? true, !live.isForOneRequest {
            state.outbound.push(to: live.id) { ServerMessage.control(told, into: &$0) }
        }
        if told.contains(where: { $0.feature == .realtime }), !live.isForOneRequest { return state.end(live, .featureOff) }
        if told.contains(where: { $0.feature == .presence }) { presence.stop(live) }
        hold(live, identity)
    }

    private func hold(_ live: LiveSession, _ identity: Identity) {
        var reads = false
        for subscription in live.session.subscriptions {
            let hold = hold(of: subscription, for: identity)
            if state.fanOut.update(subscription, { $0.set(hold) }) == true { reads = true }
        }
        // In turn with the others: ten thousand sessions that are on again at once leave room for commands.
        if reads { replay.readSoon(live.id) }
    }

    private func hold(of subscription: Session.Subscription, for identity: Identity) -> Subscriber.Hold {
        let isGroup = state.fanOut.isGroup(subscription)
        switch state.switchboard.delivery(in: subscription.channel, isGroup: isGroup, to: identity) {
        case .atOnce: return .none
        case .held: return .held
        // What has gathered before may come at once; only later entries wait.
        case .every: return state.fanOut.subscriber(subscription)?.hold == .held ? .held : .turn
        }
    }

    /// The session follows the channel from now on.
    func begins(_ live: LiveSession, _ subscription: Session.Subscription) {
        guard !state.switchboard.isEmpty, let identity = live.session.identity else { return }
        let hold: Subscriber.Hold =
            switch state.switchboard.delivery(
                in: subscription.channel, isGroup: state.fanOut.isGroup(subscription), to: identity)
            {
            case .atOnce: .none
            case .held: .held
            case .every: .turn
            }
        _ = state.fanOut.update(subscription) { $0.set(hold) }
    }

    // MARK: Slow switches

    /// While there are slow switches: at each multiple of its pause, by the clock, a switch is due. All hubs and loops push together.
    /// - Parameter last: the second of the clock that was looked at last.
    private func tick(after last: Int64? = nil) {
        guard !isTicking, !state.switchboard.pauses.isEmpty else { return }
        isTicking = true
        let now = state.now.milliseconds
        let last = last ?? now / 1_000
        _ = state.loop.after(.milliseconds(1_000 - now % 1_000)) { [weak self] in
            guard let self else { return }
            isTicking = false
            // A timer may be a little early. A loop that had much to do comes late, and leaves no turn out.
            let second = (state.now.milliseconds + 100) / 1_000
            let due = state.switchboard.pauses.filter { second / Int64($0) > last / Int64($0) }
            if !due.isEmpty { takeTurn(due) }
            tick(after: second)
        }
    }

    private func takeTurn(_ due: Set<Int>) {
        var next = 0
        state.loop.slice { [unowned self] in
            let end = min(next + Self.slice, state.table.slotCount)
            while next < end {
                if let live = state.table.session(inSlot: next) { takeTurn(live, due) }
                next += 1
            }
            return next < state.table.slotCount
        }
    }

    private func takeTurn(_ live: LiveSession, _ due: Set<Int>) {
        guard let identity = live.session.identity else { return }
        var reads = false
        for subscription in live.session.subscriptions {
            let isGroup = state.fanOut.isGroup(subscription)
            guard case .every(let seconds) = state.switchboard.delivery(in: subscription.channel, isGroup: isGroup, to: identity),
                due.contains(seconds), state.fanOut.update(subscription, { $0.set(.turn) }) == true
            else { continue }
            reads = true
        }
        if reads { replay.readSoon(live.id) }
    }

    // MARK: Commands

    /// Refuses to open the session when everything is off for its user. A request with a session of its own is answered: so the inbox can be
    /// read while nothing is pushed.
    func refusesConnect(_ live: LiveSession, _ origin: CommandOrigin, _ identity: Identity) -> Bool {
        guard !live.isForOneRequest, let off = state.switchboard.effective(.realtime, for: identity) else { return false }
        state.refuse(live, origin, Refusal(off, now: state.now), isLoud: true)
        state.end(live, .featureOff)
        return true
    }

    /// What becomes of a command while switches are set.
    enum Judgement {
        case allowed
        case refused(Refusal)
        /// It is answered as if it had been done.
        case ignored
        /// What kind of conversation it is must be asked first.
        case asks(Channel, of: UserID)
        /// Only an existing conversation is found.
        case finds(StoreRequest)
    }

    func judge(_ action: Session.Action, _ live: LiveSession) -> Judgement {
        guard let identity = live.session.identity else { return .allowed }
        switch action {
        case .typing: return state.switchboard.effective(.signals, for: identity) == nil ? .allowed : .ignored
        case .sharePresence(.some):
            return state.switchboard.effective(.presence, for: identity).map { .refused(Refusal($0, now: state.now)) } ?? .allowed
        case .store(let request, let purpose): return judge(request, purpose, live, identity)
        case .refuse, .connect, .refresh, .subscribe, .restate, .unsubscribe, .sharePresence, .done, .tellTime: return .allowed
        }
    }

    private func judge(_ request: StoreRequest, _ purpose: Session.Purpose, _ live: LiveSession, _ identity: Identity) -> Judgement {
        switch request {
        case .append(let draft, _), .change(let draft, _, to: .some): return judge(draft.channel, live, identity)
        case .open(let user, let other, let context, _, let most):
            guard let off = off(isGroup: false, identity, in: context) else { return .allowed }
            guard case .open = purpose else { return .refused(Refusal(off, now: state.now)) }
            return .finds(.open(user, with: other, context: context, most: 0, ofUser: most))
        default: return .allowed
        }
    }

    private func judge(_ channel: Channel, _ live: LiveSession, _ identity: Identity) -> Judgement {
        let dependsOnContext = state.switchboard.dependsOnContext(.directMessages)
        let (direct, group) = (off(isGroup: false, identity), off(isGroup: true, identity))
        if direct == nil, group == nil, !dependsOnContext { return .allowed }
        if let direct, group != nil, !dependsOnContext { return .refused(Refusal(direct, now: state.now)) }
        // What it is about is not known here, and how many members it has only when it is followed.
        guard let subscription = live.session.following(channel), state.fanOut.isGranted(subscription) else {
            return .asks(channel, of: identity.user)
        }
        let isGroup = state.fanOut.isGroup(subscription)
        if !isGroup, dependsOnContext { return .asks(channel, of: identity.user) }
        return (isGroup ? group : direct).map { .refused(Refusal($0, now: state.now)) } ?? .allowed
    }

    /// The conversation is of this kind.
    func refusal(in kind: ConversationKind, _ live: LiveSession) -> Refusal? {
        guard let identity = live.session.identity else { return nil }
        return off(isGroup: kind.isGroup, identity, in: kind.context).map { Refusal($0, now: state.now) }
    }

    /// The conversation does not exist, and none is opened now.
    func refusalToOpen(_ live: LiveSession) -> Refusal {
        let found = live.session.identity.flatMap { off(isGroup: false, $0) }
        return Refusal(found ?? Switch(.directMessages, for: .system, .off), now: state.now)
    }

    private func off(isGroup: Bool, _ identity: Identity, in context: String? = nil) -> Switch? {
        let found = state.switchboard.effective(isGroup ? .groupMessages : .directMessages, for: identity, in: context)
        return found?.mode == .off ? found : nil
    }
}

extension LiveSession {
    fileprivate var channels: [Channel] { session.subscriptions.map(\.channel) }
}

extension SessionLoop {
    /// The switches have changed.
    package func use(_ board: Switchboard) { switches.use(board) }

    /// Nothing is pushed to the user; the session is for one request.
    package func isQuiet(_ id: SessionID) -> Bool {
        guard !state.switchboard.isEmpty, let identity = state.table[id]?.session.identity else { return false }
        return state.switchboard.effective(.realtime, for: identity) != nil
    }

    /// Whom a switch with this scope concerns.
    package func reach(of scope: SwitchScope) -> (sessions: Int, users: Set<UserID>) {
        var (count, users) = (0, Set<UserID>())
        for live in state.table.all where live.session.phase == .open && !live.isEnding {
            guard let identity = live.session.identity else { continue }
            var isHit = scope.includes(identity)
            if case .context(let name) = scope, live.session.following(.broadcast(name)) != nil { isHit = true }
            guard isHit else { continue }
            count += 1
            users.insert(identity.user)
        }
        return (count, users)
    }

    /// Carries out what the switches make of a command. False: the command is allowed.
    func isSwitched(_ action: Session.Action, _ live: LiveSession, _ origin: CommandOrigin) -> Bool {
        switch switches.judge(action, live) {
        case .allowed: return false
        case .refused(let refusal): state.refuse(live, origin, refusal)
        case .ignored: state.outbound.reply(live, origin) { ServerMessage.done(re: $0, into: &$1) }
        case .asks(let channel, let user):
            guard case .store(let request, let purpose) = action else { return false }
            gateway.order(.kind(of: channel, for: user), for: live, origin, .judge(request, purpose))
        case .finds(let request):
            guard case .store(_, let purpose) = action else { return false }
            gateway.order(request, for: live, origin, .findOnly(purpose))
        }
        return true
    }
}

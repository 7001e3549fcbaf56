import Bus
import Bytes
import JSON
import Messaging
import Reactor
import Telemetry

/// Brings what the bus carries to the sessions of one loop, and the sessions' signals to the bus.
final class BusFeed {
    private let state: LoopState
    private let replay: Replay
    private let subscriptions: Subscriptions
    private let counters: CounterPushes
    private let expiries: ExpiryWatch
    private let reads: ChannelReads
    private let authentication: Authentication
    let activity: ActivityPushes
    let presence: PresencePushes
    private var isSlicing = false
    /// Signals of this turn, for all loops.
    private var signals: [BusSignal] = []

    init(
        _ state: LoopState, replay: Replay, subscriptions: Subscriptions, counters: CounterPushes, expiries: ExpiryWatch,
        activity: ActivityPushes, presence: PresencePushes, reads: ChannelReads,
        authentication: Authentication
    ) {
        self.state = state
        self.replay = replay
        self.subscriptions = subscriptions
        self.counters = counters
        self.expiries = expiries
        self.activity = activity
        self.presence = presence
        self.reads = reads
        self.authentication = authentication
        reads.found = { [unowned self] entries in
            hear(entries, areRead: true)
            deliverSoon()
        }
    }

    func signal(_ signal: BusSignal) { signals.append(signal) }

    /// Publishes the signals of a turn together.
    func publishSignals() {
        guard !signals.isEmpty else { return }
        state.services.bus.publish(signals: signals)
        signals.removeAll(keepingCapacity: true)
    }

    func hear(_ events: [BusEvent]) {
        for event in events {
            switch event {
            case .entries(let entries): hear(entries)
            case .active(let channel, let members): activity.entryCame(in: channel, of: members)
            case .moved(let cursor): moved(cursor)
            case .opened(let channelState, let user): opened(channelState, by: user)
            case .withdrawn(let channel, let user): withdrawn(channel, from: user)
            case .fenced(let fence): authentication.hear(fence)
            case .storedElsewhere(let channel, let last): reads.read(channel, upTo: last)
            case .movedElsewhere(let user, let channel, _): movedElsewhere(user, in: channel)
            case .hidingChanged(let channel, let user): hidingChanged(channel, of: user)
            case .signal(.presence(let news)): presence.hear(news)
            case .signal(.typing(let channel, let user, let hiddenFrom)): typing(channel, user, hiddenFrom)
            }
        }
        deliverSoon()
    }

    /// Bytes of an entry's frame beside its content: an estimate, as a rule a little too large.
    private static let envelopeBytes = 320

    /// Entries of one channel go together, wherever in the batch they stand, so that each socket gets one write for them. No order between
    /// channels is promised.
    /// - Parameter areRead: they come from the store, without a gap.
    private func hear(_ entries: [Entry], areRead: Bool = false) {
        var parts: [(channel: Channel, items: [FanOut.Item], expiry: Timestamp?)] = []
        var partOfRoster: [Int: Int] = [:]
        let now = state.now
        for entry in entries {
            guard let roster = state.fanOut.roster(of: entry.channel) else { continue }
            // An entry that this one takes back, replaces or hides may have been counted. Whether one that was read has replaced any, is not
            // known.
            let mayReplace = entry.replaces || areRead && entry.draft.collapse != nil
            if entry.draft.kind == .retraction { expiries.noteRetraction(in: entry.channel) }
            if mayReplace || entry.draft.kind == .change && !entry.hiddenFrom.isEmpty {
                expiries.note(now, in: entry.channel)
            }
            let item = FanOut.Item(
                seq: entry.seq, author: state.table.users.number(of: entry.draft.sender), weight: entry.draft.weight(at: now),
                frame: SharedFrame(expecting: entry.draft.content.utf8.count + Self.envelopeBytes) {
                    ServerMessage.entry(entry, into: &$0)
                }, mask: entry.hiddenFrom.isEmpty ? nil : mask(of: entry))
            if let part = partOfRoster[roster] {
                parts[part].items.append(item)
                if let expiry = entry.draft.expiresAt { parts[part].expiry = min(expiry, parts[part].expiry ?? expiry) }
            } else {
                partOfRoster[roster] = parts.count
                parts.append((entry.channel, [item], entry.draft.expiresAt))
            }
        }
        for part in parts {
            expiries.note(part.expiry, in: part.channel)
            if !areRead, state.fanOut.lacksEntries(before: part.items, in: part.channel), let last = part.items.last {
                // Another hub has stored some in between.
                reads.read(part.channel, upTo: last.seq)
                continue
            }
            if !state.fanOut.enqueue(part.channel, part.items) { replay.missed(part.channel) }
        }
    }

    private func mask(of entry: Entry) -> FanOut.Mask? {
        let users = entry.hiddenFrom.map { state.table.users.number(of: $0) }.filter { $0 != Users.nobody }
        return users.isEmpty ? nil : FanOut.Mask(users: users, placeholder: SharedFrame { ServerMessage.hidden(entry, into: &$0) })
    }

    /// A user's cursor moved: the user's other sessions take it over, and the other members of a conversation see how far the user is.
    private func moved(_ cursor: MovedCursor) {
        let channel = cursor.state.channel
        for id in state.table.users.sessions(of: cursor.user) {
            guard let live = state.table[id] else { continue }
            guard let subscription = live.session.following(channel) else {
                if channel.kind == .conversation { activity.moved(cursor.state, to: live) }
                continue
            }
            if !live.session.id.isSameText(as: cursor.session) {
                if state.fanOut.isGranted(subscription) {
                    state.outbound.push(to: id) { ServerMessage.cursor(cursor.state, into: &$0) }
                } else {
                    state.early.hold(for: id, behind: subscription.registration) { ServerMessage.cursor(cursor.state, into: &$0) }
                }
            }
            subscriptions.adopt(live, subscription, cursor.state)
        }
        guard cursor.isProgress, channel.kind == .conversation, state.fanOut.roster(of: channel) != nil else { return }
        let told = cursor.told
        tellOthers(than: cursor.user, in: channel, isReceipt: true) {
            ServerMessage.receipt(channel, of: cursor.user, delivered: told.delivered, read: told.read, into: &$0)
        }
    }

    /// The user's sessions read their state, and the other members of a conversation how far the user is.
    private func movedElsewhere(_ user: UserID, in channel: Channel) {
        for id in state.table.users.sessions(of: user) {
            guard let live = state.table[id] else { continue }
            if let subscription = live.session.following(channel) {
                subscriptions.rereadState(live, subscription)
            } else if channel.kind == .conversation {
                activity.movedElsewhere(channel, to: live)
            }
        }
        guard channel.kind == .conversation else { return }
        let number = state.table.users.number(of: user)
        var others: [SessionID] = []
        state.fanOut.visit(channel) { if $0.isGranted, $0.user != number { others.append($0.session) } }
        for id in others {
            guard let live = state.table[id], let subscription = live.session.following(channel) else { continue }
            subscriptions.rereadState(live, subscription)
        }
    }

    private func opened(_ channelState: ChannelState, by user: UserID) {
        for member in channelState.members where member != user {
            for id in state.table.users.sessions(of: member) {
                let write: (inout [UInt8]) -> Void = { ServerMessage.signal(.conversation(channelState.channel, with: user), into: &$0) }
                if state.table[id]?.session.phase == .open {
                    state.outbound.push(to: id, write)
                } else {
                    state.early.hold(for: id, write)
                }
            }
        }
    }

    /// The user's sessions follow the channel no more, and are told so. A membership is no loss where the token grants the channel.
    private func withdrawn(_ channel: Channel, from user: UserID) {
        presence.left(channel, user)
        for id in state.table.users.sessions(of: user) {
            guard let live = state.table[id], let index = live.session.subscription(to: channel),
                live.session.identity?.isEntitled(to: channel) != true
            else { continue }
            let ended = live.session.subscriptions[index]
            // Otherwise the reply to `connect` or `subscribe` is still to come, and says that the channel is not followed.
            let wasGranted = state.fanOut.isGranted(ended)
            subscriptions.leave(live, at: index)
            if wasGranted { state.outbound.push(to: id) { ServerMessage.signal(.unsubscribed(channel), into: &$0) } }
        }
    }

    /// Somebody has blocked the user, or does so no longer. The user's sessions learn from the store whom typing signals are to spare, and
    /// their clients are told nothing.
    private func hidingChanged(_ channel: Channel, of user: UserID) {
        for id in presence.blocksChanged(in: channel) {
            guard let live = state.table[id], live.session.identity?.user != user, let subscription = live.session.following(channel) else {
                continue
            }
            subscriptions.rereadHiding(live, subscription)
        }
        for id in state.table.users.sessions(of: user) {
            guard let live = state.table[id], let subscription = live.session.following(channel) else { continue }
            subscriptions.rereadHiding(live, subscription)
        }
    }

    private func typing(_ channel: Channel, _ user: UserID, _ hiddenFrom: [UserID]) {
        let spared = hiddenFrom.map { state.table.users.number(of: $0) }
        tellOthers(than: user, in: channel, isReceipt: false, sparing: spared) {
            ServerMessage.signal(.typing(channel, by: user), into: &$0)
        }
    }

    /// Sends a receipt or a signal to the other members of a conversation, encoded once. A client that does not keep up does not get it; a
    /// receipt is asked for again when the client has caught up (`SessionLoop.drained`).
    private func tellOthers(
        than user: UserID, in channel: Channel, isReceipt: Bool, sparing spared: [UInt32] = [], _ write: (inout [UInt8]) -> Void
    ) {
        guard state.fanOut.roster(of: channel) != nil else { return }
        let number = state.table.users.number(of: user)
        let frame = SharedFrame(write)
        let (outbound, table, board) = (state.outbound, state.table, state.switchboard)
        let isFiltered = !isReceipt && board.concerns(.signals)
        state.fanOut.visit(channel) { subscriber in
            guard subscriber.isGranted, subscriber.user != number, !spared.contains(subscriber.user) else { return }
            if isFiltered, let identity = table[subscriber.session]?.session.identity, board.effective(.signals, for: identity) != nil {
                return
            }
            guard !outbound.isCongested(subscriber.session) else {
                if isReceipt { subscriber.hasMissedReceipts = true }
                return
            }
            outbound.send(frame, to: subscriber.session)
        }
    }

    private func deliverSoon() {
        guard !isSlicing, !state.fanOut.isIdle else { return }
        isSlicing = true
        state.loop.slice { [unowned self] in
            deliverSlice()
            isSlicing = !state.fanOut.isIdle
            return isSlicing
        }
    }

    private func deliverSlice() {
        let outcome = state.fanOut.runSlice(state.table, state.outbound.transports, at: state.loop.now)
        state.metrics.deliveries.add(UInt64(outcome.deliveries))
        for (id, channel) in outcome.behind {
            state.metrics.gaps.add()
            guard let live = state.table[id], let index = live.session.subscription(to: channel) else { continue }
            replay.orderPage(live, live.session.subscriptions[index])
        }
        for channel in outcome.telling { counters.arePushedWithEntries(channel) }
        for id in outcome.told {
            if let live = state.table[id] { counters.push(to: live) }
        }
        for channel in outcome.counted { counters.changed(channel) }
    }
}

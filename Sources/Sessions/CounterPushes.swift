import Messaging
import Reactor

/// Pushes counters to sessions, coalesced: at most every 20 ms for a channel of the user's own, and about once a second in a broadcast, whose
/// ten thousand sessions would otherwise get two frames for each entry.
///
/// The first entries after such a pause take the counters with them, in the same write (`FanOut`); a change within the pause, or one without
/// an entry, is pushed at its end.
final class CounterPushes {
    static let soon: Duration = .milliseconds(20)
    static let later: Duration = .seconds(1)
    /// Slots of a roster looked at per slice: no more sends than a slice of the fan-out makes.
    private static let slotsPerSlice = FanOut.sliceDeliveries

    static func pause(in kind: Channel.Kind) -> Duration {
        switch kind {
        case .inbox, .conversation: soon
        case .broadcast: later
        }
    }

    private let state: LoopState
    private var soonChannels: Set<Channel> = []
    private var laterChannels: Set<Channel> = []
    private var isSoonScheduled = false
    private var isLaterScheduled = false
    /// Sessions whose totals changed because they follow a channel more or less.
    private var changedSets: Set<SessionID> = []

    init(_ state: LoopState) { self.state = state }

    /// Counters of sessions that follow the channel have changed.
    func changed(_ channel: Channel) {
        switch channel.kind {
        case .inbox, .conversation:
            soonChannels.insert(channel)
            pushSoon()
        case .broadcast:
            laterChannels.insert(channel)
            guard !isLaterScheduled else { return }
            isLaterScheduled = true
            state.loop.after(Self.later) { [unowned self] in
                isLaterScheduled = false
                let channels = laterChannels
                laterChannels.removeAll(keepingCapacity: true)
                for channel in channels { pushInSlices(channel) }
            }
        }
    }

    /// The session follows a channel with these counters more or less: its totals are told again, unless they are the same.
    func changedSet(of live: LiveSession, by counters: Counters?) {
        guard let counters, counters != Counters() else { return }
        changedSets.insert(live.id)
        pushSoon()
    }

    /// The session can be sent to again.
    func drained(_ live: LiveSession) {
        if !changedSets.isEmpty, changedSets.contains(live.id) { pushSoon() }
    }

    func forget(_ id: SessionID) {
        if !changedSets.isEmpty { changedSets.remove(id) }
    }

    private func pushSoon() {
        guard !isSoonScheduled else { return }
        isSoonScheduled = true
        state.loop.after(Self.soon) { [unowned self] in
            isSoonScheduled = false
            let channels = soonChannels
            soonChannels.removeAll(keepingCapacity: true)
            for channel in channels { push(channel, 0..<Int.max) }
            for id in changedSets {
                // A congested session keeps its place until it is drained.
                if let live = state.table[id], !state.outbound.isCongested(id) { push(to: live) }
            }
        }
    }

    /// All sessions that follow the channel get their counters with its entries.
    func arePushedWithEntries(_ channel: Channel) {
        switch channel.kind {
        case .inbox, .conversation: if !soonChannels.isEmpty { soonChannels.remove(channel) }
        case .broadcast: if !laterChannels.isEmpty { laterChannels.remove(channel) }
        }
    }

    private func pushInSlices(_ channel: Channel) {
        var next = 0
        state.loop.slice { [unowned self] in
            guard let roster = state.fanOut.roster(of: channel), let end = state.fanOut.rosters[roster]?.end, next < end else {
                return false
            }
            push(channel, next..<next + Self.slotsPerSlice)
            next += Self.slotsPerSlice
            return true
        }
    }

    private func push(_ channel: Channel, _ slots: Range<Int>) {
        var stale: [SessionID] = []
        state.fanOut.visit(channel, slots) { if $0.isCountersStale { stale.append($0.session) } }
        for id in stale {
            // A congested session stays stale, and gets its counters after the entries it has to catch up with.
            if let live = state.table[id], !state.outbound.isCongested(id) { push(to: live) }
        }
    }

    /// Pushes all counters of the session that changed since it was last told.
    func push(to live: LiveSession) {
        var changed: [ServerMessage.ChannelCounters] = []
        var totals = Counters()
        for subscription in live.session.subscriptions {
            _ = state.fanOut.update(subscription) { subscriber in
                guard subscriber.isGranted else { return }
                totals += subscriber.counters
                if subscriber.isCountersStale {
                    subscriber.isCountersStale = false
                    changed.append(.init(channel: subscription.channel, counters: subscriber.counters, version: subscriber.version))
                }
            }
        }
        let isOtherSet = !changedSets.isEmpty && changedSets.remove(live.id) != nil
        guard !changed.isEmpty || isOtherSet else { return }
        live.countersVersion &+= 1
        let version = UInt64(live.countersVersion)
        state.outbound.push(to: live.id) { ServerMessage.counters(version: version, changed, totals: totals, into: &$0) }
    }
}

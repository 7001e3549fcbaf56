import Messaging
import Reactor

/// Tells sessions their counters, coalesced: at most every 20 ms for something of their own, and about once a second in
/// a broadcast, whose ten thousand listeners would otherwise get two frames for each entry.
///
/// The first entries after such a pause take the counters with them, in the same write (`FanOut`); what changes within the pause, or
/// not by an entry, is told at its end.
struct CounterTeller {
    static let soon: Duration = .milliseconds(20)
    static let later: Duration = .seconds(1)
    /// Places of a roster looked at per slice: no more sends than a slice of the fan-out makes.
    static let slicePlaces = FanOut.sliceDeliveries

    static func pause(in kind: Channel.Kind) -> Duration {
        switch kind {
        case .inbox, .conversation: soon
        case .broadcast: later
        }
    }

    private var soonChannels: Set<Channel> = []
    private var laterChannels: Set<Channel> = []
    private var isSoonScheduled = false
    private var isLaterScheduled = false

    mutating func changed(_ channel: Channel, _ sessions: SessionLoop) {
        switch channel.kind {
        case .inbox, .conversation:
            soonChannels.insert(channel)
            guard !isSoonScheduled else { return }
            isSoonScheduled = true
            sessions.loop.after(Self.soon) { [unowned sessions] in
                let channels = sessions.counterTeller.takeSoon()
                for channel in channels { sessions.tellCounters(channel, from: 0, upTo: .max) }
            }
        case .broadcast:
            laterChannels.insert(channel)
            guard !isLaterScheduled else { return }
            isLaterScheduled = true
            sessions.loop.after(Self.later) { [unowned sessions] in
                for channel in sessions.counterTeller.takeLater() { sessions.tellCountersInSlices(channel) }
            }
        }
    }

    /// Everyone who follows the channel is being told, with the entries that changed them.
    mutating func isTelling(_ channel: Channel) {
        switch channel.kind {
        case .inbox, .conversation: if !soonChannels.isEmpty { soonChannels.remove(channel) }
        case .broadcast: if !laterChannels.isEmpty { laterChannels.remove(channel) }
        }
    }

    private mutating func takeSoon() -> Set<Channel> {
        isSoonScheduled = false
        defer { soonChannels.removeAll(keepingCapacity: true) }
        return soonChannels
    }

    private mutating func takeLater() -> Set<Channel> {
        isLaterScheduled = false
        defer { laterChannels.removeAll(keepingCapacity: true) }
        return laterChannels
    }
}

extension SessionLoop {
    fileprivate func tellCountersInSlices(_ channel: Channel) {
        var next = 0
        loop.slice { [unowned self] in
            guard let roster = fanOut.roster(of: channel), let end = fanOut.rosters[roster]?.end, next < end else { return false }
            tellCounters(channel, from: next, upTo: next + CounterTeller.slicePlaces)
            next += CounterTeller.slicePlaces
            return true
        }
    }

    /// Tells those in a range of a roster whose counters changed.
    fileprivate func tellCounters(_ channel: Channel, from start: Int, upTo end: Int) {
        var keys: [SessionKey] = []
        fanOut.visit(channel, start..<end) { if $0.isCountersStale { keys.append($0.key) } }
        for key in keys {
            guard let live = sessions[key] else { continue }
            if outlet.isCongested(key) {
                // It stays stale, and is told after the entries it has to catch up with.
                continue
            }
            tellCounters(live)
        }
    }

    func tellCounters(_ live: LiveSession) {
        var changed: [ServerMessage.ChannelCounters] = []
        var totals = Counters()
        for subscription in live.session.subscriptions {
            _ = fanOut.update(subscription) { subscriber in
                guard subscriber.phase != .opening else { return }
                totals.unread &+= subscriber.counters.unread
                totals.unseen &+= subscriber.counters.unseen
                totals.urgent &+= subscriber.counters.urgent
                if subscriber.isCountersStale {
                    subscriber.isCountersStale = false
                    changed.append(.init(channel: subscription.channel, counters: subscriber.counters, version: subscriber.version))
                }
            }
        }
        guard !changed.isEmpty else { return }
        live.countersVersion &+= 1
        push(to: live.key) { ServerMessage.counters(version: UInt64(live.countersVersion), changed, totals: totals, into: &$0) }
    }
}

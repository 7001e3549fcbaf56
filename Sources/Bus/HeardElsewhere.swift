package import Linux
import Messaging

/// Remembers which changes of other hubs an engine has brought lately. The hub finds the same changes in the journal a moment later, and must not
/// read them from the store again. A change that was forgotten costs one reading and does no harm, so each is forgotten after a few seconds, and
/// all are when there are too many.
package struct HeardElsewhere: Sendable {
    private struct CursorName: Hashable {
        let user: UserID
        let channel: Channel
    }

    private struct Names {
        var cursors: [CursorName: UInt64] = [:]
        /// The newest entry with which the members heard of the conversation.
        var active: [Channel: Seq] = [:]
        var opened: Set<Channel> = []

        var count: Int { cursors.count + active.count + opened.count }
    }

    /// The journal is read twice a second.
    package static let kept: Duration = .seconds(5)
    package static let mostNames = 100_000

    private var young = Names()
    private var old = Names()
    private var youngSince: MonotonicInstant

    package init(at now: MonotonicInstant) { youngSince = now }

    /// The listeners have got these events of another hub.
    package mutating func note(_ events: [BusEvent], at now: MonotonicInstant) {
        age(now)
        var last: [Channel: Seq] = [:]
        for event in events {
            switch event {
            case .entries(let entries):
                for entry in entries { last[entry.channel] = max(last[entry.channel] ?? .zero, entry.seq) }
            case .moved(let cursor):
                let name = CursorName(user: cursor.user, channel: cursor.state.channel)
                young.cursors[name] = max(young.cursors[name] ?? 0, cursor.state.version)
            case .active(let channel, _):
                if let last = last[channel] { young.active[channel] = max(young.active[channel] ?? .zero, last) }
            case .opened(let state, _): young.opened.insert(state.channel)
            case .hidingChanged, .withdrawn, .fenced, .storedElsewhere, .movedElsewhere, .signal: break
            }
        }
    }

    /// Returns the changes of the journal that the engine has not brought. New entries are always among them: a loop that has them already reads nothing.
    package mutating func unheard(_ found: [BusEvent], at now: MonotonicInstant) -> [BusEvent] {
        age(now)
        var last: [Channel: Seq] = [:]
        return found.filter { event in
            switch event {
            case .storedElsewhere(let channel, let seq):
                last[channel] = max(last[channel] ?? .zero, seq)
                return true
            case .active(let channel, _):
                guard let last = last[channel] else { return true }
                return max(young.active[channel] ?? .zero, old.active[channel] ?? .zero) < last
            case .movedElsewhere(let user, let channel, let version):
                let name = CursorName(user: user, channel: channel)
                return version == 0 || max(young.cursors[name] ?? 0, old.cursors[name] ?? 0) < version
            case .opened(let state, _): return !young.opened.contains(state.channel) && !old.opened.contains(state.channel)
            case .entries, .moved, .hidingChanged, .withdrawn, .fenced, .signal: return true
            }
        }
    }

    private mutating func age(_ now: MonotonicInstant) {
        guard now - youngSince >= Self.kept || young.count > Self.mostNames else { return }
        old = now - youngSince >= Self.kept * 2 ? Names() : young
        young = Names()
        youngSince = now
    }
}

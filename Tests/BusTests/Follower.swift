import Bus
import Linux
import Messaging

/// Follows one channel as a loop does for one session, and reads pages of the log when it must. The log is the store: it holds every entry.
final class Follower: BusListener {
    private struct State {
        var subscriber: Subscriber
        var told: [UInt64] = []
        var batches = 0
        var losses = 0
        var signals = 0
    }

    private let channel: Channel
    private let state: Locked<State>

    /// Follows from the beginning of a channel that has no entries yet.
    init(_ channel: Channel) {
        self.channel = channel
        var subscriber = Subscriber(session: SessionID(slot: 0, generation: 1), user: 1)
        _ = subscriber.open(ChannelState(channel: channel), since: .zero)
        state = Locked(State(subscriber: subscriber))
    }

    var told: [UInt64] { state.withLock { $0.told } }
    var unread: UInt32 { state.withLock { $0.subscriber.counters.unread } }
    var batches: Int { state.withLock { $0.batches } }
    var losses: Int { state.withLock { $0.losses } }
    var signals: Int { state.withLock { $0.signals } }

    func hear(_ events: [BusEvent]) {
        state.withLock { state in
            state.batches += 1
            for event in events {
                switch event {
                case .entries(let entries):
                    for entry in entries where entry.channel == channel {
                        let admission = state.subscriber.admit(entry.seq, author: 0, weight: .normal, isCongested: false)
                        if admission == .deliver { state.told.append(entry.seq.rawValue) }
                    }
                case .signal: state.signals += 1
                case .moved, .opened, .withdrawn, .fenced, .active, .hidingChanged, .storedElsewhere, .movedElsewhere: break
                }
            }
        }
    }

    func missedEvents() {
        state.withLock { state in
            state.losses += 1
            state.subscriber.suspect()
        }
    }

    /// Reads pages of three while something is missing.
    func read(_ log: [Entry]) {
        state.withLock { state in
            while let start = state.subscriber.startPage() {
                guard state.subscriber.takePage(from: start) else { return }
                let rest = log.filter { $0.seq > start }
                for entry in rest.prefix(3)
                where state.subscriber.admitReplayed(entry.seq, author: 0, weight: .normal) {
                    state.told.append(entry.seq.rawValue)
                }
                _ = state.subscriber.finishPage(head: log.last?.seq ?? .zero, more: rest.count > 3)
            }
        }
    }
}

import Bus
import Linux
import Messaging
import StoreAPI
import Telemetry

/// Reads what other hubs on this database committed: twice a second, and whenever one of them rings (`Bell`). The bell makes it fast; the
/// clock makes it certain.
///
/// A position is a snapshot of the database: which transactions had ended. It stays when a reading fails, so nothing is missed while the
/// database is away, unless that takes longer than rows are kept.
final class JournalWatch: StoreClient {
    private struct Reading {
        var position: String?
        var isAsking = false
        /// A bell rang while an answer was awaited, which may not have what the bell is about.
        var isAskedAgain = false
        var lastRead: MonotonicInstant?
    }

    /// Rows are kept for at least this long (`Statement.beat`).
    static let kept: Duration = .seconds(240)

    private let front: StoreFront
    private let node: String
    private let bus: any Bus
    private let reading = Locked(Reading())

    init(_ front: StoreFront, node: String, bus: any Bus) {
        self.front = front
        self.node = node
        self.bus = bus
    }

    /// Since the last reading; nil: there was none yet.
    var age: Duration? { reading.withLock { $0.lastRead }.map { MonotonicInstant.now - $0 } }

    /// Asks for what is new. While the last answer is still to come, behind it.
    func ask(isRung: Bool = false) {
        let position: String?? = reading.withLock { reading in
            guard !reading.isAsking else {
                if isRung { reading.isAskedAgain = true }
                return nil
            }
            reading.isAsking = true
            reading.isAskedAgain = false
            return .some(reading.position)
        }
        guard let position else { return }
        if !front.submit([StoreOrder(request: .journal(after: position, node: node), client: self, token: 0)]) {
            reading.withLock { $0.isAsking = false }
        }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            var isAskedAgain = false
            var isTooLate = false
            reading.withLock { reading in
                reading.isAsking = false
                guard case .journal(let next, _) = outcome.reply else { return }
                let now = MonotonicInstant.now
                isTooLate = reading.lastRead.map { now - $0 > Self.kept } ?? false
                reading.position = next
                reading.lastRead = now
                isAskedAgain = reading.isAskedAgain
            }
            guard case .journal(_, let changes) = outcome.reply else { continue }
            publish(isTooLate ? nil : changes)
            if isAskedAgain { ask() }
        }
    }

    private func publish(_ changes: [ElsewhereChange]?) {
        guard let changes else {
            front.statistics.journalMissed.add()
            return bus.publish(found: nil)
        }
        guard !changes.isEmpty else { return }
        front.statistics.journalFound.add(UInt64(changes.count))
        var events: [BusEvent] = []
        for change in changes {
            switch change {
            case .stored(let channel, let last, let members):
                events.append(.storedElsewhere(channel, upTo: last))
                if !members.isEmpty { events.append(.active(channel, members: members)) }
            case .moved(let user, let channel, let version): events.append(.movedElsewhere(user, channel, version: version))
            case .opened(let channel, let user, let members):
                var state = ChannelState(channel: channel)
                state.members = members
                events.append(.opened(state, by: user))
            case .hidingChanged(let channel, let user): events.append(.hidingChanged(channel, of: user))
            }
        }
        bus.publish(found: events)
    }
}

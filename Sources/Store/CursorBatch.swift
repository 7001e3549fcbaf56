import Bus
import Messaging
import Postgres
import StoreAPI

/// Numbers each (user, channel) in the order it is first named.
struct CursorPlaces {
    private struct Place: Hashable {
        let user: UserID
        let channel: Channel
    }

    private var places: [Place: Int] = [:]

    init(capacity: Int) { places.reserveCapacity(capacity) }

    /// One lookup, whether it is there or not.
    mutating func place(of user: UserID, in channel: Channel) -> Int {
        func same(_ value: inout Int) -> Int { value }
        let next = places.count
        return same(&places[Place(user: user, channel: channel), default: next])
    }
}

/// `move` orders: per (user, channel) one row is moved once, to where all its orders together say.
struct CursorBatch: Batch {
    /// What the orders of one (user, channel) ask for, in the order unread, then read.
    fileprivate struct Move {
        let user: UserID
        let channel: Channel
        var orders: [Int] = []
        var delivered: Int64 = 0
        var seen: Int64 = 0
        var unread: [Range<Int64>] = []
        var read: [Range<Int64>] = []
        var deliveredSession: String?
        var readSession: String?
    }

    private let orders: [PendingOrder]
    private var moves: [Move] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        var places = CursorPlaces(capacity: orders.count)
        moves.reserveCapacity(orders.count)
        for (index, pending) in orders.enumerated() {
            guard case .move(let user, let channel, let change, let session) = pending.order.request else {
                assertionFailure("not a move")
                continue
            }
            let at = places.place(of: user, in: channel)
            if at == moves.count { moves.append(Move(user: user, channel: channel)) }
            moves[at].orders.append(index)
            moves[at].include(change, by: session)
        }
    }

    /// Whether `next` may join orders that already hold these changes: a mark-unread after a read of the same row must be
    /// seen by the row after it, so it waits for the next batch.
    static func mayFollow(_ earlier: [PendingOrder], _ next: PendingOrder) -> Bool {
        guard case .move(let user, let channel, .unread, _) = next.order.request else { return true }
        return !earlier.contains {
            guard case .move(let otherUser, let otherChannel, let change, _) = $0.order.request else { return false }
            switch change {
            case .read: return otherUser == user && otherChannel == channel
            case .delivered, .seen, .unread: return false
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var places = Parameters()
        places.append(moves.map(\.user.name))
        places.append(joined: moves.map(\.channel.storedParts))
        var changes = places
        changes.append(moves.map(\.delivered))
        changes.append(moves.map(\.seen))
        changes.append(moves.map { Int8Multirange($0.unread) })
        changes.append(moves.map { Int8Multirange($0.read) })
        changes.append(moves.map(\.deliveredSession))
        changes.append(moves.map(\.readSession))
        return [(.ensureCursors, places), (.lockCursors, places), (.moveCursors, changes)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 3 else { return nil }
        let moved = rows[2]
        var outcome = BatchOutcome(replies: [StoreReply](repeating: .failed(.forbidden), count: orders.count))
        for move in moves where move.channel.kind != .conversation {
            // Nothing was ever stored there: nowhere to move to.
            let nothing = MovedCursor(move.user, ChannelState(channel: move.channel), isProgress: false, session: "")
            for order in move.orders { outcome.replies[order] = .moved(nothing, changed: false) }
        }
        for row in 0..<moved.count {
            guard let place = moved.int32(row, 0), place >= 1, place <= moves.count, let changed = moved.bool(row, 15),
                let isTooScattered = moved.bool(row, 16), let isProgress = moved.bool(row, 17)
            else { return nil }
            let move = moves[Int(place) - 1]
            guard let state = ChannelState(moved, row, channel: move.channel) else { return nil }
            let cursor = MovedCursor(move.user, state, isProgress: isProgress, session: "")
            for order in move.orders {
                outcome.replies[order] = isTooScattered && marks(order) ? .failed(.tooScattered) : .moved(cursor, changed: changed)
            }
            if changed {
                outcome.events.append(contentsOf: events(of: move, state, isProgress) { !(isTooScattered && marks($0)) })
            }
        }
        return outcome
    }

    /// Whether it changes what is read; acks and mark-seen share its row.
    private func marks(_ order: Int) -> Bool {
        guard case .move(_, _, let change, _) = orders[order].order.request else { return false }
        switch change {
        case .read, .unread: return true
        case .delivered, .seen: return false
        }
    }

    /// Each session's move is told once, for the state is the same, and the other members hear of it once.
    private func events(of move: Move, _ state: ChannelState, _ isProgress: Bool, _ isDone: (Int) -> Bool) -> [BusEvent] {
        var told: [String] = []
        var events: [BusEvent] = []
        for order in move.orders where isDone(order) {
            guard case .move(let user, _, _, let session) = orders[order].order.request, !told.contains(session) else { continue }
            events.append(.moved(MovedCursor(user, state, isProgress: isProgress && told.isEmpty, session: session)))
            told.append(session)
        }
        return events
    }
}

extension CursorBatch.Move {
    fileprivate mutating func include(_ change: CursorChange, by session: String) {
        switch change {
        case .delivered(let seq):
            delivered = max(delivered, seq.stored)
            deliveredSession = session
        case .seen(let seq):
            seen = max(seen, seq.stored)
            deliveredSession = session
        case .read(let selection):
            switch selection {
            case .upTo(let seq): readUpTo(seq.stored)
            case .set(let seqs): read.append(contentsOf: seqs.map { $0.stored..<$0.stored + 1 })
            }
            readSession = session
        case .unread(let seqs):
            unread.append(contentsOf: seqs.map { $0.stored..<$0.stored + 1 })
        }
    }

    private mutating func readUpTo(_ seq: Int64) {
        guard seq > 0 else { return }
        read.append(1..<seq + 1)
    }
}

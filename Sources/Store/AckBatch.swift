import Bus
import Bytes
import JSON
import Messaging
import Postgres
import StoreAPI

/// `move` orders of `delivered` outside of conversations: nearly every order there is. Rows that are not plain are left to `CursorBatch`.
struct AckBatch: Batch {
    /// What the orders of one (user, channel) ask for together.
    private struct Move {
        let user: UserID
        let channel: Channel
        /// Of the newest order.
        var session: String
        var delivered: Int64
        /// The newest of its orders; `earlier` leads to the others.
        var last: Int
    }

    private let orders: [PendingOrder]
    private var moves: [Move] = []
    /// Per order the one before it that shares its row; -1: none.
    private var earlier: [Int] = []
    /// Per order which of `moves` it is part of; -1: none.
    private var moveOf: [Int] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        var places = CursorPlaces(capacity: orders.count)
        moves.reserveCapacity(orders.count)
        earlier.reserveCapacity(orders.count)
        moveOf.reserveCapacity(orders.count)
        for index in orders.indices {
            guard case .move(let user, let channel, .delivered(let seq), let session) = orders[index].order.request else {
                assertionFailure("not an ack")
                earlier.append(-1)
                moveOf.append(-1)
                continue
            }
            let at = places.place(of: user, in: channel)
            moveOf.append(at)
            if at == moves.count {
                moves.append(Move(user: user, channel: channel, session: session, delivered: seq.stored, last: index))
                earlier.append(-1)
            } else {
                earlier.append(moves[at].last)
                moves[at].session = session
                moves[at].delivered = max(moves[at].delivered, seq.stored)
                moves[at].last = index
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var acks = Parameters()
        acks.append(moves.map(\.user.name))
        acks.append(joined: moves.map(\.channel.storedParts))
        acks.append(moves.map(\.delivered))
        return [(.ackCursors, acks)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let moved = rows.first else { return nil }
        var events: [BusEvent] = []
        events.reserveCapacity(moved.count)
        var cursors = [MovedCursor?](repeating: nil, count: moves.count)
        for row in 0..<moved.count {
            guard let place = moved.int32(row, 0), place >= 1, place <= moves.count else { return nil }
            let at = Int(place) - 1
            guard let state = ChannelState(cursorIn: moved, row, from: 1, channel: moves[at].channel, recountAt: 10) else { return nil }
            let cursor = MovedCursor(moves[at].user, state, isProgress: true, session: moves[at].session)
            cursors[at] = cursor
            events.append(.moved(cursor))
            if earlier[moves[at].last] >= 0 { tellOthers(of: moves[at].last, cursor, &events) }
        }
        var outcome = BatchOutcome(events: events, replies: [])
        outcome.replies.reserveCapacity(orders.count)
        for index in orders.indices {
            if moveOf[index] >= 0, let cursor = cursors[moveOf[index]] {
                outcome.replies.append(.moved(cursor, changed: true))
            } else {
                outcome.left.append(index)
            }
        }
        return outcome
    }

    /// Once for each session besides that of the newest order: the state is the same.
    private func tellOthers(of newest: Int, _ cursor: MovedCursor, _ events: inout [BusEvent]) {
        var told = [cursor.session]
        var order = earlier[newest]
        while order >= 0 {
            defer { order = earlier[order] }
            guard case .move(let user, _, _, let session) = orders[order].order.request else { continue }
            if told.contains(where: { $0.isSameText(as: session) }) { continue }
            told.append(session)
            events.append(.moved(MovedCursor(user, cursor.state, isProgress: true, session: session)))
        }
    }
}

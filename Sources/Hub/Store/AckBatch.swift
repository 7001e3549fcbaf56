import JSON
import Messaging
import Postgres

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

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        var places = CursorPlaces(capacity: orders.count)
        moves.reserveCapacity(orders.count)
        earlier.reserveCapacity(orders.count)
        for index in orders.indices {
            guard case .move(let user, let channel, .delivered(let seq), let session) = orders[index].order.request else {
                assertionFailure("not an ack")
                earlier.append(-1)
                continue
            }
            let at = places.place(of: user, in: channel)
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
        var replies = [StoreReply](repeating: .failed(.unavailable), count: orders.count)
        var isLeft = [Bool](repeating: moved.count < moves.count, count: orders.count)
        for row in 0..<moved.count {
            guard let place = moved.int32(row, 0), place >= 1, place <= moves.count else { return nil }
            let at = Int(place) - 1
            guard let state = ChannelState(cursorIn: moved, row, from: 1, channel: moves[at].channel, recountAt: 10) else { return nil }
            let cursor = MovedCursor(moves[at].user, state, isProgress: true, session: moves[at].session)
            events.append(.moved(cursor))
            var order = moves[at].last
            if earlier[order] >= 0 { tellOthers(of: order, cursor, &events) }
            while order >= 0 {
                replies[order] = .moved(cursor, changed: true)
                isLeft[order] = false
                order = earlier[order]
            }
        }
        // As a rule none.
        guard moved.count < moves.count else { return BatchOutcome(events: events, replies: replies) }
        return BatchOutcome(
            events: events, replies: replies.indices.filter { !isLeft[$0] }.map { replies[$0] }, left: replies.indices.filter { isLeft[$0] })
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

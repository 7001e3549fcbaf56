import JSON
import Messaging
import Postgres

/// `move` orders of `delivered` outside of conversations: nearly every order there is. Rows that are not plain are left to `CursorBatch`.
struct AckBatch: Batch {
    /// What the orders of one (user, channel) ask for together.
    private struct Move {
        let user: UserID
        let channel: Channel
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
        for (index, pending) in orders.enumerated() {
            guard case .move(let user, let channel, .delivered(let seq), _) = pending.order.request else {
                assertionFailure("not an ack")
                earlier.append(-1)
                continue
            }
            let at = places.place(of: user, in: channel)
            if at == moves.count {
                moves.append(Move(user: user, channel: channel, delivered: seq.stored, last: index))
                earlier.append(-1)
            } else {
                earlier.append(moves[at].last)
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
        var replies = [StoreReply?](repeating: nil, count: orders.count)
        events.reserveCapacity(moved.count)
        for row in 0..<moved.count {
            guard let place = moved.int32(row, 0), place >= 1, place <= moves.count else { return nil }
            let move = moves[Int(place) - 1]
            guard let state = ChannelState(moved, row, channel: move.channel) else { return nil }
            let reply = StoreReply.moved(state, changed: true)
            var order = move.last
            while order >= 0 {
                replies[order] = reply
                order = earlier[order]
            }
            tell(move, state, &events)
        }
        // As a rule all of them.
        guard moved.count < moves.count else { return BatchOutcome(events: events, replies: replies.compactMap(\.self)) }
        return BatchOutcome(events: events, replies: replies.compactMap(\.self), left: replies.indices.filter { replies[$0] == nil })
    }

    /// Once for each session: the state is the same.
    private func tell(_ move: Move, _ state: ChannelState, _ events: inout [BusEvent]) {
        var told: [String] = []
        var order = move.last
        while order >= 0 {
            defer { order = earlier[order] }
            guard case .move(_, _, _, let session) = orders[order].order.request else { continue }
            if earlier[move.last] >= 0 {
                if told.contains(where: { $0.isSameText(as: session) }) { continue }
                told.append(session)
            }
            events.append(.moved(move.user, state, isProgress: true, session: session))
        }
    }
}

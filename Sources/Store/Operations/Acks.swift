import Bus
import Bytes
import JSON
import Messaging
import Postgres
import StoreAPI

/// `move` orders of `delivered` outside of conversations: nearly all orders of a busy hub. `Cursors` carries out those that a batch
/// of this operation leaves.
enum Acks: StoreOperation {
    static let statements: [Statement] = [.ackCursors]
    static let lane = LaneName.cursors
    static let capacity = 1_000
    static let waitsWhileAway = true
    static let gathers = true
    static let successor: Operation? = .cursors

    /// Whether it carries out this change. In a conversation counters must be counted, because every entry there has a sender.
    static func takes(_ change: CursorChange, in channel: Channel) -> Bool {
        switch (change, channel) {
        case (_, .conversation), (.seen, _), (.read, _), (.unread, _): false
        case (.delivered, .inbox), (.delivered, .broadcast): true
        }
    }

    static func batch(of orders: [PendingOrder]) -> any Batch { AckBatch(orders) }
}

struct AckBatch: Batch {
    /// What the orders of one (user, channel) ask for together. One row of the database is moved by it.
    private struct Move {
        let user: UserID
        let channel: Channel
        /// The session of the newest order.
        var session: String
        var delivered: Int64
        /// The index of its newest order; `earlier` leads to the others.
        var last: Int
    }

    private let orders: [PendingOrder]
    private var moves: [Move] = []
    /// Per order the index of the previous order of the same move; -1: none.
    private var earlier: [Int] = []
    /// Per order the index of its move; -1: none.
    private var moveOf: [Int] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        var keys = CursorKeys(capacity: orders.count)
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
            let at = keys.index(of: user, in: channel)
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
            guard let position = moved.int32(row, 0), position >= 1, position <= moves.count else { return nil }
            let at = Int(position) - 1
            guard let state = ChannelState(cursorIn: moved, row, from: 1, channel: moves[at].channel, recountAt: 10) else { return nil }
            let cursor = MovedCursor(moves[at].user, state, isProgress: true, session: moves[at].session)
            cursors[at] = cursor
            events.append(.moved(cursor))
            if earlier[moves[at].last] >= 0 { announce(cursor, toSessionsBefore: moves[at].last, &events) }
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

    /// Adds an event for each session besides that of the newest order. All of them carry the same state.
    private func announce(_ cursor: MovedCursor, toSessionsBefore newest: Int, _ events: inout [BusEvent]) {
        var announced = [cursor.session]
        var order = earlier[newest]
        while order >= 0 {
            defer { order = earlier[order] }
            guard case .move(let user, _, _, let session) = orders[order].order.request else { continue }
            if announced.contains(where: { $0.isSameText(as: session) }) { continue }
            announced.append(session)
            events.append(.moved(MovedCursor(user, cursor.state, isProgress: true, session: session)))
        }
    }
}

extension Statement {
    /// $1 user, $2 channel (each pair once, no conversations), $3 delivered. It returns, for each row that was moved, its position
    /// in the arrays (from 1) and the columns of `ChannelState(cursorIn:)`.
    ///
    /// It costs a fifth of `moveCursors`, because it moves only simple rows. It leaves a pair to `moveCursors` when there is no row yet,
    /// no progress, a counter that is due for a recount or counts entries that were removed, an entry that may not count or counts as urgent, or an entry that requires a
    /// receipt. Rows are locked in the order (user, channel). PostgreSQL checks the conditions again on a row that another
    /// transaction has just changed. If that transaction counted up to a later head than this statement sees, the row is left, too.
    static let ackCursors = Statement(
        name: "ackCursors",
        sql: """
            with ask as materialized (
                select a.user_id, a.ordinal, c.id, c.first_seq, c.recount_from, c.last_seq as head, least(a.delivered, c.last_seq) as delivered
                from unnest($1::text[], $2::text[], $3::int8[]) with ordinality a (user_id, channel, delivered, ordinal)
                join \(Clause.namedChannel) c on true
                order by a.user_id collate "C", c.id
            ), moved as (
            update hub.cursor k set delivered = a.delivered, version = k.version + 1, updated_at = now(), counted = a.head,
                unread = (k.unread + a.head - k.counted)::int4, unseen = (k.unseen + a.head - k.counted)::int4
            from ask a
            -- By the row's ctid, so that the planner can only start from `ask`.
            cross join lateral (
                select k.ctid from hub.cursor k where k.user_id = a.user_id collate "C" and k.channel_id = a.id limit 1
            ) held
            where k.ctid = held.ctid and k.delivered < a.delivered
                and (k.recount_at is null or k.recount_at > now()) and not \(Clause.hasLostUnread("a"))
                and k.counted <= a.head
                and (k.counted = a.head or (
                    -- No `seq` after `counted` is missing, and no entry there is special.
                    (select e.seq from hub.entry e where e.channel_id = a.id and e.seq > k.counted order by e.seq limit 1) = k.counted + 1
                    and (
                        select e.seq from hub.entry e
                        where e.channel_id = a.id and e.seq > k.counted and e.seq <= a.head and \(Clause.isSpecial) order by e.seq limit 1
                    ) is null
                ))
                and (
                    select e.seq from hub.entry e
                    where e.channel_id = a.id and e.receipt_required and e.seq > k.delivered and e.seq <= a.delivered order by e.seq limit 1
                ) is null
            returning a.ordinal::int4, a.head, k.delivered, k.seen, k.read, k.read_set, k.version,
                k.unread, k.unseen, k.urgent, k.recount_at, k.user_id, k.channel_id
            ), \(Clause.journal("cursors", from: "select m.user_id, m.channel_id, m.head + m.version as version from moved m", hasVersions: true))
            select ordinal, head, delivered, seen, read, read_set, version, unread, unseen, urgent, recount_at from moved
            """)
}

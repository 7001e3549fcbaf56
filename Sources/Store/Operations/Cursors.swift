import Bus
import Messaging
import Postgres
import StoreAPI

/// All other `move` orders, and those that a batch of `Acks` left.
enum Cursors: StoreOperation {
    static let statements: [Statement] = [.ensureCursors, .lockCursors, .moveCursors]
    static let lane = LaneName.cursors
    static let capacity = 1_000
    static let unsorted = 256
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { CursorBatch(orders) }

    /// A batch applies unread before read. So a mark-unread that comes after a read of the same row waits for the next batch.
    struct Filling: BatchFilling {
        private var reads: [(user: UserID, channel: Channel)] = []

        func weight(of request: StoreRequest) -> Int? {
            guard case .move(let user, let channel, .unread, _) = request else { return 1 }
            return reads.contains { $0.user == user && $0.channel == channel } ? nil : 1
        }

        mutating func add(_ request: StoreRequest) {
            if case .move(let user, let channel, .read, _) = request { reads.append((user, channel)) }
        }
    }
}

/// Moves the row of each (user, channel) once, by all of its orders together.
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
        var keys = CursorKeys(capacity: orders.count)
        moves.reserveCapacity(orders.count)
        for (index, pending) in orders.enumerated() {
            guard case .move(let user, let channel, let change, let session) = pending.order.request else {
                assertionFailure("not a move")
                continue
            }
            let at = keys.index(of: user, in: channel)
            if at == moves.count { moves.append(Move(user: user, channel: channel)) }
            moves[at].orders.append(index)
            moves[at].include(change, by: session)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var rows = Parameters()
        rows.append(moves.map(\.user.name))
        rows.append(joined: moves.map(\.channel.storedParts))
        var changes = rows
        changes.append(moves.map(\.delivered))
        changes.append(moves.map(\.seen))
        changes.append(moves.map { Int8Multirange($0.unread) })
        changes.append(moves.map { Int8Multirange($0.read) })
        changes.append(moves.map(\.deliveredSession))
        changes.append(moves.map(\.readSession))
        return [(.ensureCursors, rows), (.lockCursors, rows), (.moveCursors, changes)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 3 else { return nil }
        let moved = rows[2]
        var outcome = BatchOutcome(replies: [StoreReply](repeating: .failed(.forbidden), count: orders.count))
        for move in moves where move.channel.kind != .conversation {
            // The channel has no entry yet, so it has no row to move.
            let nothing = MovedCursor(move.user, ChannelState(channel: move.channel), isProgress: false, session: "")
            for order in move.orders { outcome.replies[order] = .moved(nothing, changed: false) }
        }
        for row in 0..<moved.count {
            guard let position = moved.int32(row, 0), position >= 1, position <= moves.count, let changed = moved.bool(row, 15),
                let isTooScattered = moved.bool(row, 16), let isProgress = moved.bool(row, 17)
            else { return nil }
            let move = moves[Int(position) - 1]
            guard var state = ChannelState(moved, row, channel: move.channel) else { return nil }
            if let last = Seq(stored: moved.int64(row, 18)) {
                let (delivered, read) = (min(state.cursor.delivered, last), min(state.cursor.read, last))
                state.progress = [MemberProgress(move.user, delivered: delivered, read: read)]
            }
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

    /// Whether the order changes what is read. Acks and mark-seen share its row.
    private func marks(_ order: Int) -> Bool {
        guard case .move(_, _, let change, _) = orders[order].order.request else { return false }
        switch change {
        case .read, .unread: return true
        case .delivered, .seen: return false
        }
    }

    /// One event per session, because all moves of a session give the same state. Only the first event tells the other members.
    private func events(of move: Move, _ state: ChannelState, _ isProgress: Bool, _ isDone: (Int) -> Bool) -> [BusEvent] {
        var announced: [String] = []
        var events: [BusEvent] = []
        for order in move.orders where isDone(order) {
            guard case .move(let user, _, _, let session) = orders[order].order.request, !announced.contains(session) else { continue }
            events.append(.moved(MovedCursor(user, state, isProgress: isProgress && announced.isEmpty, session: session)))
            announced.append(session)
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

extension Statement {
    private static let movers = """
        unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, ordinal)
        \(moverJoins)
        """

    /// Joins each row of `a` to its channel `c`. `isMover` is false for a user who is not a member of the conversation.
    /// With `exists` instead of the join, the planner may read the whole table of members.
    private static let moverJoins = """
        join \(Clause.namedChannel) c on true
        left join hub.member m on c.kind = 'conversation' and m.channel_id = c.id and m.user_id = a.user_id collate "C"
        """

    private static let isMover = "(c.kind <> 'conversation' or m.user_id is not null)"

    static let ensureCursors = Statement(
        name: "ensureCursors",
        sql: """
            insert into hub.cursor (user_id, channel_id)
            select a.user_id collate "C", c.id from \(movers)
            left join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
            where \(isMover) and k.user_id is null
            order by 1, 2
            on conflict (user_id, channel_id) do nothing
            """)

    static let lockCursors = Statement(
        name: "lockCursors",
        sql: """
            select from \(movers)
            join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = c.id
            where \(isMover)
            order by k.user_id, k.channel_id
            for update of k
            """)

    /// $1 user, $2 channel (each pair once), $3 delivered, $4 seen, $5 entries to make unread, $6 entries to make read,
    /// $7 the session that acknowledged, $8 the session that marked entries as read.
    ///
    /// The set of read entries has a bounded number of ranges. If a change would exceed the bound and add ranges, nothing is made read or
    /// unread, and the last column but two is true. The next one says whether `delivered` or `read` progressed, which other members
    /// are told. They are not told of progress behind the last column, because all entries there are hidden from the user.
    ///
    /// Between entries that are read, those that do not count for the user (own, hidden, expired, retracted) become read where they join two
    /// ranges or lengthen one. Otherwise a dialogue that is read message by message would have as many ranges as answers. Formal notices are read
    /// only by a mark, because their reading is recorded.
    ///
    /// Unread is applied before read. No position exceeds the head. read ≤ seen ≤ delivered, because an entry that was read was seen,
    /// and an entry that was seen was delivered. When only `delivered` moved, the counters continue from `counted`. Otherwise, and when a
    /// counted entry has expired, all is counted again.
    static let moveCursors = Statement(
        name: "moveCursors",
        sql: """
            with ask as materialized (
                select a.user_id, a.channel, a.ordinal, c.id, c.first_seq, c.recount_from, c.last_seq as head, c.kind, m.hidden_after, coalesce(a.delivered, 0) as to_delivered,
                    coalesce(a.seen, 0) as to_seen, a.unread as make_unread, a.read as make_read, a.delivered_session, a.read_session
                from unnest($1::text[], $2::text[], $3::int8[], $4::int8[], $5::int8multirange[], $6::int8multirange[], $7::text[], $8::text[])
                    with ordinality a (user_id, channel, delivered, seen, unread, read, delivered_session, read_session, ordinal)
                \(moverJoins)
                where \(isMover)
            ), held as (
                select a.*, k.delivered, k.seen, k.read, k.read_set, k.version, k.counted, k.unread, k.unseen, k.urgent, k.recount_at,
                    k.updated_at, coalesce(k.recount_at <= now(), false) or \(Clause.hasLostUnread("a")) as has_lapsed,
                    int8multirange(int8range(1, k.read + 1)) + k.read_set as had_read
                from ask a join hub.cursor k on k.user_id = a.user_id collate "C" and k.channel_id = a.id
            ), asked as (
                select h.*, (h.had_read - h.make_unread) + h.make_read * int8multirange(int8range(1, h.head + 1)) as wants_read
                from held h
            ), opened as (
                select w.*, case when w.wants_read @> 1::int8 then (select upper(r) from unnest(w.wants_read) r limit 1) else 1 end as first_unread,
                    upper(w.wants_read) - 1 as last_read
                from asked w
            ), joined as (
                select o.*, case when q.entries = '{}' then o.wants_read else (
                        select coalesce(range_agg(r), '{}') from unnest(o.wants_read + q.entries) r where r && o.wants_read or r @> 1::int8
                    ) end as would_read
                from opened o
                cross join lateral (
                    select coalesce(range_agg(int8range(e.seq, e.seq + 1)), '{}') - coalesce(
                            (select range_agg(int8range(n.seq, n.seq + 1)) from hub.entry n
                             where n.channel_id = o.id and n.receipt_required and n.seq >= o.first_unread and n.seq < o.last_read), '{}'
                        ) as entries
                    from (
                        select e.seq from hub.entry e
                        where e.channel_id = o.id and e.seq >= o.first_unread and e.seq < o.last_read and \(Clause.isSpecial)
                            and not (e.sender is distinct from o.user_id collate "C" and \(Clause.isValid))
                        union all
                        select e.seq from hub.entry e
                        where e.channel_id = o.id and e.seq >= o.first_unread and e.seq < o.last_read and e.hidden_from is not null
                            and o.user_id collate "C" = any (e.hidden_from)
                    ) e
                ) q
            ), bounded as materialized (
                select j.*, j.would_read <> j.had_read and (
                        select count(*) from unnest(j.would_read) r where not r @> 1::int8
                    ) > greatest(\(Cursor.mostRanges), (select count(*) from unnest(j.read_set))) as too_scattered
                from joined j
            ), marked as (
                select b.*, case when b.too_scattered then b.had_read else b.would_read end as has_read from bounded b
            ), reached as materialized (
                select m.*, case when m.has_read @> 1::int8 then (select upper(r) - 1 from unnest(m.has_read) r limit 1) else 0 end as new_read
                from marked m
            ), moved as materialized (
                select r.*,
                    r.has_read - int8multirange(int8range(1, r.new_read + 1)) as new_read_set,
                    greatest(r.seen, least(r.to_seen, r.head), r.new_read) as new_seen,
                    greatest(r.delivered, least(r.to_delivered, r.head), r.seen, least(r.to_seen, r.head), r.new_read) as new_delivered
                from reached r
            ), compared as materialized (
                select p.*,
                    p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen or p.has_lapsed as recount,
                    p.new_read <> p.read or p.new_read_set <> p.read_set or p.new_seen <> p.seen
                        or p.new_delivered <> p.delivered as changed
                from moved p
            ), counted as materialized (
                select w.*, case when w.recount then 0 else w.unread end + t.unread as new_unread,
                    case when w.recount then 0 else w.unseen end + t.unseen as new_unseen,
                    case when w.recount then 0 else w.urgent end + t.urgent as new_urgent,
                    least(case when w.recount then null else w.recount_at end, t.next_expiry) as new_recount_at,
                    -- Of the state as it was, so that the version cannot fall when what lapsed is marked as read.
                    w.version + case when w.recount then (
                        select l.lapsed from (
                            select w.id, w.user_id, w.head, w.had_read as has_read, w.seen, w.counted, w.updated_at,
                                case when w.has_lapsed then w.read else w.counted end as counted_from
                        ) p
                        cross join lateral (\(Clause.tally)) l
                    ) else t.lapsed end as known_version
                from compared w
                cross join lateral (
                    select w.id, w.user_id, w.head, w.has_read, w.new_seen as seen, w.counted, w.updated_at,
                        case when w.recount then w.new_read else w.counted end as counted_from
                ) p
                cross join lateral (\(Clause.tally)) t
            ), stored as (
                update hub.cursor k set delivered = n.new_delivered, seen = n.new_seen, read = n.new_read, read_set = n.new_read_set,
                    version = n.known_version + 1, updated_at = now(), counted = n.head, unread = n.new_unread, unseen = n.new_unseen,
                    urgent = n.new_urgent, recount_at = n.new_recount_at
                from counted n
                where n.changed and k.user_id = n.user_id collate "C" and k.channel_id = n.id
            ), receipts as (
                insert into hub.receipt (channel_id, seq, user_id, session, delivered_at, read_session, read_at)
                select n.id, e.seq, n.user_id, coalesce(n.delivered_session, n.read_session), now(),
                    case when n.has_read @> e.seq then n.read_session end, case when n.has_read @> e.seq then now() end
                from counted n
                cross join lateral (
                    select int8multirange(int8range(n.delivered + 1, n.new_delivered + 1)) + (n.has_read - n.had_read) as entries
                ) passed
                join hub.entry e on e.channel_id = n.id and e.receipt_required
                    and e.seq >= lower(passed.entries) and e.seq < upper(passed.entries) and passed.entries @> e.seq
                    and e.sender is distinct from n.user_id collate "C"
                where n.changed
                order by 1, 2, 3
                on conflict (channel_id, seq, user_id) do update set read_session = excluded.read_session, read_at = excluded.read_at
                where hub.receipt.read_at is null and excluded.read_at is not null
            ), \(Clause.journal("cursors", from: "select c.user_id, c.id as channel_id, c.head + c.known_version + 1 as version from counted c where c.changed", hasVersions: true))
            select ordinal::int4, channel, head, new_delivered, new_seen, new_read, new_read_set, known_version + changed::int4,
                new_unread, new_unseen, new_urgent,
                case when kind = 'conversation' then array(select m.user_id from hub.member m where m.channel_id = id order by 1) end,
                null::int8[], null::int8[], new_recount_at, changed, too_scattered,
                least(new_delivered, hidden_after) > least(delivered, hidden_after) or least(new_read, hidden_after) > least(read, hidden_after),
                hidden_after
            from counted
            """)
}

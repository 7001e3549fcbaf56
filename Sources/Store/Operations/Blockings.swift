import Bus
import Messaging
import Postgres
import StoreAPI

/// `block` and `unblock` orders.
enum Blockings: StoreOperation {
    static let statements: [Statement] = [.lockShared, .changeBlocks]
    // The lane that also adds and removes members.
    static let lane = LaneName.entries
    // One, so that a block and its end keep their order. They are rare.
    static let capacity = 1
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { BlockingBatch(orders) }
}

struct BlockingBatch: Batch {
    private var blockings: [(user: UserID, other: UserID, most: Int64?)] = []

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            switch pending.order.request {
            case .block(let user, let other, let most): blockings.append((user, other, Int64(most)))
            case .unblock(let user, let other): blockings.append((user, other, nil))
            default: assertionFailure("not a block")
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var pairs = Parameters()
        pairs.append(blockings.map(\.user.name))
        pairs.append(blockings.map(\.other.name))
        var changes = pairs
        changes.append(blockings.map(\.most))
        return [(.lockShared, pairs), (.changeBlocks, changes)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 2, rows[1].count == blockings.count else { return nil }
        var outcome = BatchOutcome(replies: [])
        for (row, blocking) in blockings.enumerated() {
            guard let isRefused = rows[1].bool(row, 0), let shared = rows[1].texts(row, 1) else { return nil }
            outcome.replies.append(isRefused ? .failed(.tooManyBlocks) : .blockChanged)
            for name in shared {
                guard let channel = Channel(storedName: name) else { return nil }
                outcome.events.append(.hidingChanged(channel, of: blocking.other))
            }
        }
        return outcome
    }
}

/// `blocks` orders.
enum BlockLists: StoreOperation {
    static let statements: [Statement] = [.readBlocks]
    static let lane = LaneName.reads
    static let capacity = 50
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { BlockListBatch(orders) }
}

struct BlockListBatch: Batch {
    private let users: [UserID]

    init(_ orders: [PendingOrder]) {
        users = orders.compactMap { pending in
            guard case .blocks(let user) = pending.order.request else {
                assertionFailure("not a list of blocks")
                return nil
            }
            return user
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(users.map(\.name))
        return [(.readBlocks, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let lists = rows.first, lists.count == users.count else { return nil }
        var outcome = BatchOutcome(replies: [])
        for row in users.indices {
            guard let names = lists.texts(row, 0) else { return nil }
            outcome.replies.append(.blocks(names.compactMap { UserID($0) }))
        }
        return outcome
    }
}

extension Statement {
    private static let sharedConversations = """
        join hub.conversation v
            on v.first = least(a.user_id collate "C", a.other collate "C") and v.second = greatest(a.user_id collate "C", a.other collate "C")
        cross join lateral (select c.id, c.name from hub.channel c where c.name = 'conversation:' || v.id limit 1) c
        """

    /// $1 one user, $2 the other. Locks the conversations of the two: an entry is stored before a block or after it.
    static let lockShared = Statement(
        name: "lockShared",
        sql: """
            select from unnest($1::text[], $2::text[]) a (user_id, other)
            join hub.conversation v
                on v.first = least(a.user_id collate "C", a.other collate "C") and v.second = greatest(a.user_id collate "C", a.other collate "C")
            join hub.channel c on c.name = 'conversation:' || v.id
            order by c.id for no key update of c
            """)

    /// $1 user, $2 the other, $3 how many others the user may have blocked, or null to end the block. Each pair once. Returns, for each order,
    /// whether it would exceed that number, and the conversations of the two.
    ///
    /// A repeated block changes the conversations again, so that it also corrects what a conversation lacks that was made at the same time.
    static let changeBlocks = Statement(
        name: "changeBlocks",
        sql: """
            with ask as materialized (
                select a.user_id collate "C" as user_id, a.other collate "C" as other, a.most is not null as adds, a.ordinal,
                    coalesce(k.other is null and h.had >= a.most, false) as is_refused
                from unnest($1::text[], $2::text[], $3::int8[]) with ordinality a (user_id, other, most, ordinal)
                left join lateral (
                    select k.blocked as other from hub.block k
                    where k.user_id = a.user_id collate "C" and k.blocked = a.other collate "C" limit 1
                ) k on true
                cross join lateral (
                    select count(*) as had from (select from hub.block k where k.user_id = a.user_id collate "C" limit a.most) k
                ) h
            ), added as (
                insert into hub.block (user_id, blocked) select a.user_id, a.other from ask a where a.adds and not a.is_refused
                on conflict do nothing
            ), removed as (
                delete from hub.block k using ask a
                cross join lateral (
                    select k.ctid from hub.block k where k.user_id = a.user_id and k.blocked = a.other limit 1
                ) held
                where not a.adds and k.ctid = held.ctid
            ), shared as materialized (
                select a.*, c.id, c.name from ask a \(sharedConversations) where not a.is_refused
            ), hidden as (
                update hub.member m set hidden_from = nullif(
                    case when s.adds then array_append(array_remove(m.hidden_from, s.user_id), s.user_id)
                        else array_remove(m.hidden_from, s.user_id) end, '{}')
                from shared s
                cross join lateral (
                    select m.ctid from hub.member m where m.channel_id = s.id and m.user_id = s.other limit 1
                ) held
                where m.ctid = held.ctid
            ), \(Clause.journal("hiding", from: "select s.other as user_id, s.id as channel_id from shared s"))
            select a.is_refused, array(select s.name from shared s where s.ordinal = a.ordinal order by 1) from ask a order by a.ordinal
            """)

    /// $1 user. Returns the list of each.
    static let readBlocks = Statement(
        name: "readBlocks",
        sql: """
            select array(select k.blocked from hub.block k where k.user_id = a.user_id collate "C" order by 1)
            from unnest($1::text[]) with ordinality a (user_id, ordinal)
            order by a.ordinal
            """)
}

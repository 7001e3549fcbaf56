import Bus
import Messaging
import Postgres
import StoreAPI

/// `open` orders.
enum Conversations: StoreOperation {
    static let statements: [Statement] = [.makeConversations, .makeConversationChannels, .makeMembers, .conversationStates]
    static let lane = LaneName.entries
    static let capacity = 200
    static let unsorted = 64
    static let share = 16
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { ConversationBatch(orders) }
}

/// Finds or makes the conversation of each pair.
struct ConversationBatch: Batch {
    private struct Pair: Hashable {
        let first: ByteText
        let second: ByteText
        let context: ByteText

        init(_ a: String, _ b: String, _ context: String) {
            let ordered = a.utf8.lexicographicallyPrecedes(b.utf8)
            first = ByteText(ordered ? a : b)
            second = ByteText(ordered ? b : a)
            self.context = ByteText(context)
        }
    }

    private let orders: [PendingOrder]
    private var openers: [UserID] = []
    private var others: [String] = []
    private var contexts: [String] = []
    private var limits: [Int] = []
    private var limitsOfUser: [Int] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for pending in orders {
            guard case .open(let opener, let other, let context, let most, let mostOfUser) = pending.order.request else {
                assertionFailure("not an open order")
                continue
            }
            openers.append(opener)
            others.append(other.name)
            contexts.append(context ?? "")
            limits.append(most)
            limitsOfUser.append(mostOfUser)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var pairs = Parameters()
        pairs.append(openers.map(\.name))
        pairs.append(others)
        pairs.append(contexts)
        var bounded = pairs
        bounded.append(limits.map { Int32(clamping: $0) })
        bounded.append(limitsOfUser.map { Int32(clamping: $0) })
        return [
            (.makeConversations, bounded), (.makeConversationChannels, pairs), (.makeMembers, pairs), (.conversationStates, pairs),
        ]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 4 else { return nil }
        var made: Set<Pair> = []
        for row in 0..<rows[0].count {
            guard let first = rows[0].text(row, 0), let second = rows[0].text(row, 1), let context = rows[0].text(row, 2) else {
                return nil
            }
            made.insert(Pair(first, second, context))
        }
        var joined: Set<Channel> = []
        for row in 0..<rows[2].count {
            guard let channel = rows[2].text(row, 0).flatMap({ Channel(storedName: $0) }) else { return nil }
            joined.insert(channel)
        }
        // A conversation that the last statement does not return would exceed a bound.
        var outcome = BatchOutcome(replies: orders.map { _ in .failed(.tooManyConversations) })
        for row in 0..<rows[3].count {
            guard let position = rows[3].int32(row, 0), position >= 1, position <= orders.count,
                let channel = rows[3].text(row, 1).flatMap({ Channel(storedName: $0) }),
                var state = ChannelState(rows[3], row, channel: channel), let first = Seq(stored: rows[3].int64(row, 16))
            else { return nil }
            state.first = first
            state.hiddenFrom = (rows[3].texts(row, 17) ?? []).compactMap { UserID($0) }
            let index = Int(position) - 1
            let silent = Set((rows[3].texts(row, 18) ?? []).compactMap { UserID($0) })
            // Of several orders for a new conversation the first counts as its creator.
            let created = made.remove(Pair(openers[index].name, others[index], contexts[index])) != nil
            outcome.replies[index] = .opened(state, created: created)
            let isNews = joined.remove(channel) != nil || created
            guard isNews || orders[index].unsettled else { continue }
            var told = state
            told.members.removeAll { silent.contains($0) }
            if told.members.contains(where: { $0 != openers[index] }) { outcome.events.append(.opened(told, by: openers[index])) }
        }
        return outcome
    }
}

extension Statement {
    private static let pairs = """
        unnest($1::text[], $2::text[], $3::text[]) with ordinality p (a, b, context, ordinal)
        join hub.conversation v
            on v.first = least(p.a collate "C", p.b collate "C") and v.second = greatest(p.a collate "C", p.b collate "C")
            and v.context = p.context collate "C"
        """

    /// $1 one user, $2 the other, $3 context ('' = none), $4 the most conversations a pair may have, $5 the most channels that $1 may be a
    /// member of. Returns the new conversations.
    ///
    /// Only who opens is bounded: otherwise strangers could use up the conversations of somebody else. Two hubs that run this at the same
    /// time may exceed a bound by one each. That is harmless: the bounds prevent thousands.
    static let makeConversations = Statement(
        name: "makeConversations",
        sql: """
            insert into hub.conversation (first, second, context)
            select n.first, n.second, n.context
            from (
                select d.*, row_number() over (partition by d.first, d.second order by d.ordinal) as nth,
                    row_number() over (partition by d.opener order by d.ordinal) as nth_of_opener
                from (
                    select least(p.a collate "C", p.b collate "C") as first, greatest(p.a collate "C", p.b collate "C") as second,
                        p.context collate "C" as context, min(p.ordinal) as ordinal, max(p.max_count) as max_count,
                        (array_agg(p.a collate "C" order by p.ordinal))[1] as opener, min(p.max_of_user) as max_of_user
                    from unnest($1::text[], $2::text[], $3::text[], $4::int4[], $5::int4[])
                        with ordinality p (a, b, context, max_count, max_of_user, ordinal)
                    group by 1, 2, 3
                ) d
                left join lateral (
                    select v.id from hub.conversation v
                    where v.first = d.first and v.second = d.second and v.context = d.context limit 1
                ) v on true
                where v.id is null
            ) n
            cross join lateral (
                select count(*) as had
                from (select from hub.conversation v where v.first = n.first and v.second = n.second limit n.max_count) v
            ) h
            cross join lateral (
                select count(*) as had
                from (select from hub.member m where m.user_id = n.opener limit n.max_of_user) m
            ) u
            where h.had + n.nth <= n.max_count and u.had + n.nth_of_opener <= n.max_of_user
            order by 1, 2, 3
            on conflict (first, second, context) do nothing
            returning first, second, context
            """)

    static let makeConversationChannels = Statement(
        name: "makeConversationChannels",
        sql: """
            insert into hub.channel (name, kind, unanswered)
            select distinct 'conversation:' || v.id, 'conversation', 0 from \(pairs)
            left join hub.channel c on c.name = 'conversation:' || v.id
            where c.id is null
            order by 1
            on conflict (name) do nothing
            """)

    /// Returns the channels that got members: of new conversations, and of conversations that a user had left. A conversation is not listed
    /// for a member who has blocked its opener, until an entry comes that is shown to the member.
    static let makeMembers = Statement(
        name: "makeMembers",
        sql: """
            with made as (
            insert into hub.member (channel_id, user_id, active_at, hidden_from)
            select distinct c.id, u.user_id collate "C",
                case when u.user_id = p.b collate "C" and exists (
                    select from hub.block k where k.user_id = p.b collate "C" and k.blocked = p.a collate "C"
                ) then '-infinity' else t.active end,
                (select array_agg(k.user_id) from hub.block k
                 where k.blocked = u.user_id and k.user_id = case when u.user_id = v.first then v.second else v.first end)
            from \(pairs)
            join hub.channel c on c.name = 'conversation:' || v.id
            cross join lateral (values (v.first), (v.second)) u (user_id)
            cross join lateral (
                select coalesce(
                    (select e.created_at from hub.entry e where e.channel_id = c.id and e.seq = c.last_seq), c.created_at) as active
            ) t
            order by 1, 2
            on conflict do nothing
            returning channel_id
            ), \(Clause.journal("opened", from: openedBy))
            select (select c.name from hub.channel c where c.id = m.channel_id) from made m
            """)

    private static let openedBy = """
        select c.id as channel_id, min(p.a collate "C") as user_id from \(pairs)
        join hub.channel c on c.name = 'conversation:' || v.id
        where c.id in (select m.channel_id from made m) group by c.id
        """

    /// The rows of `states` for the conversations of user $1 with user $2 and context $3.
    static let conversationStates = Statement(
        name: "conversationStates",
        sql: """
            with ask as (
                select p.ordinal::int4 as "order", p.ordinal, p.a as user_id, c.name as channel, c.id, c.last_seq as head, c.first_seq, c.recount_from, c.kind,
                    null::int8 as rank, false as has_more
                from \(pairs)
                join hub.channel c on c.name = 'conversation:' || v.id
            )
            \(Clause.channelStates)
            """)
}

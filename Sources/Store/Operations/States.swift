import Messaging
import Postgres
import StoreAPI

/// `snapshot`, `conversations` and `state` orders.
enum States: StoreOperation {
    static let statements: [Statement] = [.states]
    static let lane = LaneName.reads
    static let capacity = 250
    static let unsorted = 64
    static let share = 16
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { StateBatch(orders) }
}

/// Reads the state of users in their channels.
struct StateBatch: Batch {
    private struct Question {
        let order: Int
        let user: UserID
        let channel: Channel
        let entitled: Bool
    }

    private let orders: [PendingOrder]
    private var questions: [Question] = []
    /// Asks for the channels that a user is a member of.
    private struct Listing {
        let order: Int
        let user: UserID
        let most: Int
        var isOfConversations = false
        var before: Channel?
    }
    private var listings: [Listing] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for (index, pending) in orders.enumerated() {
            if case .snapshot(let user, let broadcasts, let asked, let most) = pending.order.request {
                questions.append(Question(order: index, user: user, channel: .inbox(user), entitled: true))
                for name in broadcasts {
                    questions.append(Question(order: index, user: user, channel: .broadcast(name), entitled: true))
                }
                for channel in asked { ask(index, user, channel, entitled: false) }
                listings.append(Listing(order: index, user: user, most: most))
            } else if case .conversations(let user, let before, let most) = pending.order.request {
                listings.append(Listing(order: index, user: user, most: most, isOfConversations: true, before: before))
            } else if case .state(let user, let channel, let entitled) = pending.order.request {
                ask(index, user, channel, entitled: entitled)
            } else {
                assertionFailure("not a state order")
            }
        }
    }

    /// A membership row entitles to broadcasts and conversations. Nothing entitles to the inbox of another user.
    private mutating func ask(_ order: Int, _ user: UserID, _ channel: Channel, entitled: Bool) {
        switch channel {
        case .inbox(let owner):
            guard ByteText(owner.name) == ByteText(user.name) else { return }
            questions.append(Question(order: order, user: user, channel: channel, entitled: true))
        case .broadcast: questions.append(Question(order: order, user: user, channel: channel, entitled: entitled))
        case .conversation: questions.append(Question(order: order, user: user, channel: channel, entitled: false))
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(questions.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(questions.map(\.user.name))
        parameters.append(joined: questions.map(\.channel.storedParts))
        parameters.append(questions.map(\.entitled))
        parameters.append(listings.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(listings.map(\.user.name))
        parameters.append(listings.map { Int32(clamping: $0.most) })
        parameters.append(listings.map(\.isOfConversations))
        parameters.append(listings.map { $0.before?.storedName })
        return [(.states, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var states = [[ChannelState]](repeating: [], count: orders.count)
        var hasMore = [Bool](repeating: false, count: orders.count)
        // Rows are sorted by order, and within an order by the position at which it names the channel.
        var current = 0
        var reported = ChannelIndex()
        var next = 0
        for row in 0..<rows.count {
            guard let order = rows.int32(row, 0).map({ Int($0) }), orders.indices.contains(order),
                let channel = asked(rows, row, order, from: &next) ?? rows.text(row, 1).flatMap({ Channel(storedName: $0) }),
                var state = ChannelState(rows, row, channel: channel), let first = Seq(stored: rows.int64(row, 16))
            else { return nil }
            state.first = first
            state.hiddenFrom = (rows.texts(row, 17) ?? []).compactMap { UserID($0) }
            state.blocksMember = rows.bool(row, 19) == true
            if rows.bool(row, 15) == true { hasMore[order] = true }
            if order != current {
                current = order
                reported.removeAll()
            }
            // A channel that the order names and that membership lists has two rows. The first row is for the name.
            guard reported.insert(channel) else { continue }
            states[order].append(state)
        }
        return BatchOutcome(
            replies: orders.indices.map { index in
                if case .state = orders[index].order.request { return states[index].first.map { .state($0) } ?? .failed(.forbidden) }
                return .snapshot(states[index], more: hasMore[index])
            })
    }

    /// The channel of a row, if its order asked for it by name. Then its name need not be parsed.
    private func asked(_ rows: Rows, _ row: Int, _ order: Int, from next: inout Int) -> Channel? {
        while next < questions.count, questions[next].order < order { next += 1 }
        var index = next
        while index < questions.count, questions[index].order == order {
            let channel = questions[index].channel
            if rows.withBytes(row, 1, { channel.isNamed(inStore: $0) }) == true {
                next = index + 1
                return channel
            }
            index += 1
        }
        return nil
    }
}

extension Statement {
    /// $1 index of the order, $2 user, $3 channel, $4 entitled without being a member. For lists of the channels that a user is a member
    /// of: $5 index of the order, $6 user, $7 how many channels at most, $8 conversations only, $9 the list begins after this conversation.
    ///
    /// A list has broadcasts first, then conversations by the time of their newest entry (`hub.member.active_at`). It is read in the order
    /// of an index, so only the rows of the list are read. `has_more` says that the list was cut.
    static let states = Statement(
        name: "states",
        sql: """
            with ask as (
                select a."order", a.ordinal, a.user_id, a.channel, c.id, c.last_seq as head, c.first_seq, c.recount_from, c.kind, null::int8 as rank,
                    false as has_more
                from unnest($1::int4[], $2::text[], $3::text[], $4::bool[]) with ordinality a ("order", user_id, channel, entitled, ordinal)
                left join \(Clause.namedChannel) c on true
                left join hub.member m on not a.entitled and m.channel_id = c.id and m.user_id = a.user_id collate "C"
                where a.entitled or m.user_id is not null
                union all
                select s."order", null, s.user_id, l.name, l.id, l.last_seq, l.first_seq, l.recount_from, l.kind, l.rank, l.has_more
                from unnest($5::int4[], $6::text[], $7::int4[], $8::bool[], $9::text[])
                    s ("order", user_id, max_count, conversations_only, before)
                left join lateral (
                    select m.active_at, m.channel_id
                    from hub.channel c join hub.member m on m.channel_id = c.id and m.user_id = s.user_id collate "C"
                    where c.name = s.before collate "C" limit 1
                ) b on true
                cross join lateral (
                    select n.*, row_number() over (order by n.active_at desc, n.id desc) as rank,
                        count(*) over () > s.max_count as has_more
                    -- One more than the list takes, in the order of the index.
                    from (
                        select c.*, m.active_at
                        from hub.member m
                        cross join lateral (select c.* from hub.channel c where c.id = m.channel_id limit 1) c
                        where m.user_id = s.user_id collate "C" and m.active_at > '-infinity'
                            and (m.active_at, m.channel_id) <= (coalesce(b.active_at, 'infinity'), coalesce(b.channel_id, 9223372036854775807))
                            and (s.before is null or m.channel_id <> b.channel_id)
                            and (not s.conversations_only or c.kind = 'conversation')
                        order by m.active_at desc, m.channel_id desc
                        limit s.max_count + 1
                    ) n
                    order by rank
                    limit s.max_count
                ) l
            )
            \(Clause.channelStates)
            """)
}

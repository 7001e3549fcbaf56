import Messaging
import Postgres
import StoreAPI

/// `kind` orders: how many members a conversation has, and what it is about.
enum Kinds: StoreOperation {
    static let statements: [Statement] = [.kinds]
    static let lane = LaneName.reads
    static let capacity = 200
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { KindBatch(orders) }
}

struct KindBatch: Batch {
    private var users: [String] = []
    private var channels: [Channel] = []

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .kind(let channel, let user) = pending.order.request else {
                assertionFailure("not a kind order")
                continue
            }
            users.append(user.name)
            channels.append(channel)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(users)
        parameters.append(joined: channels.map(\.storedParts))
        // Only conversations have an id; the others find nothing.
        parameters.append(channels.map { if case .conversation(let id) = $0 { id.text } else { "00000000-0000-0000-0000-000000000000" } })
        return [(.kinds, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var replies: [StoreReply] = channels.map { _ in .failed(.forbidden) }
        for row in 0..<rows.count {
            guard let place = rows.int32(row, 0), place >= 1, place <= channels.count, let members = rows.int32(row, 2) else { return nil }
            let context = rows.text(row, 1).flatMap { $0.isEmpty ? nil : $0 }
            replies[Int(place) - 1] = .kind(ConversationKind(isGroup: members > 2, context: context))
        }
        return BatchOutcome(replies: replies)
    }
}

extension Statement {
    /// $1 user, $2 channel, $3 id of the conversation. Returns, for each conversation that the user is a member of, its position in the arrays
    /// (from 1), what it is about, and the number of its members, at most 3.
    static let kinds = Statement(
        name: "kinds",
        sql: """
            select a.ordinal::int4, v.context, n.members::int4
            from unnest($1::text[], $2::text[], $3::text[]) with ordinality a (user_id, channel, id, ordinal)
            join \(Clause.namedChannel) c on c.kind = 'conversation'
            cross join lateral (
                select from hub.member m where m.channel_id = c.id and m.user_id = a.user_id collate "C" limit 1
            ) own
            cross join lateral (
                select count(*) as members from (select from hub.member m where m.channel_id = c.id limit 3) m
            ) n
            left join lateral (select v.context from hub.conversation v where v.id = a.id::uuid limit 1) v on true
            """)
}

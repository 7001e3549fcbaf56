import Bus
import Messaging
import Postgres
import StoreAPI

/// `leave` orders: users who are no longer members of a conversation.
enum Leaves: StoreOperation {
    static let statements: [Statement] = [.removeMembers]
    // The lane that also adds members, so that the two never wait for each other's locks.
    static let lane = LaneName.entries
    static let capacity = 200
    static let waitsWhileAway = true

    static func batch(of orders: [PendingOrder]) -> any Batch { LeaveBatch(orders) }
}

struct LeaveBatch: Batch {
    private let orders: [PendingOrder]
    private var leaving: [(user: UserID, channel: Channel)] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for pending in orders {
            guard case .leave(let user, let channel) = pending.order.request else {
                assertionFailure("not a leave order")
                continue
            }
            leaving.append((user, channel))
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var members = Parameters()
        members.append(leaving.map(\.user.name))
        members.append(joined: leaving.map(\.channel.storedParts))
        return [(.removeMembers, members)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let removed = rows.first else { return nil }
        // An order that runs again may have removed the member the first time.
        var outcome = BatchOutcome(
            replies: zip(orders, leaving).map { $0.unsettled ? .state(ChannelState(channel: $1.channel)) : .failed(.forbidden) })
        for row in 0..<removed.count {
            guard let position = removed.int32(row, 0), position >= 1, position <= leaving.count else { return nil }
            outcome.replies[Int(position) - 1] = .state(ChannelState(channel: leaving[Int(position) - 1].channel))
        }
        for (reply, left) in zip(outcome.replies, leaving) {
            if case .state = reply { outcome.events.append(.withdrawn(left.channel, from: left.user)) }
        }
        return outcome
    }
}

extension Statement {
    /// $1 user, $2 conversation. It returns, for each member that was removed, the position in the arrays (from 1).
    static let removeMembers = Statement(
        name: "removeMembers",
        sql: """
            with ask as materialized (
                select a.user_id, a.ordinal, c.id
                from unnest($1::text[], $2::text[]) with ordinality a (user_id, channel, ordinal)
                join \(Clause.namedChannel) c on true
                order by c.id, a.user_id collate "C"
            )
            delete from hub.member m using ask a
            -- By the row's ctid, so that the planner can only start from `ask`.
            cross join lateral (
                select m.ctid from hub.member m where m.channel_id = a.id and m.user_id = a.user_id collate "C" limit 1
            ) held
            where m.ctid = held.ctid
            returning a.ordinal::int4
            """)
}

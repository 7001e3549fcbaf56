import Messaging
import Postgres
import StoreAPI

/// `keepTicket` and `takeTicket` orders.
///
/// A take that runs again because its connection broke finds nothing when the first run was committed. Its client gets another ticket: to
/// accept one twice would be worse.
enum Tickets: StoreOperation {
    static let statements: [Statement] = [.keepTickets, .takeTickets]
    static let lane = LaneName.cursors
    static let capacity = 500
    // The client has to get another one anyway when it waits for longer than a ticket lives.
    static let waitsWhileAway = false

    static func batch(of orders: [PendingOrder]) -> any Batch { TicketBatch(orders) }
}

struct TicketBatch: Batch {
    private enum Role {
        case keeps
        case takes(String)
    }

    private var roles: [Role] = []
    private var kept: (digests: [String], identities: [String], lives: [Int64]) = ([], [], [])

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            switch pending.order.request {
            case .keepTicket(let digest, let identity, let life):
                roles.append(.keeps)
                kept.digests.append(digest)
                kept.identities.append(identity.text)
                kept.lives.append(life.components.seconds)
            case .takeTicket(let digest): roles.append(.takes(digest))
            default: assertionFailure("not a ticket order")
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var keeping = Parameters()
        keeping.append(kept.digests)
        keeping.append(kept.identities)
        keeping.append(kept.lives)
        var taking = Parameters()
        taking.append(
            roles.compactMap { role in
                if case .takes(let digest) = role { digest } else { nil }
            })
        return [(.keepTickets, keeping), (.takeTickets, taking)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 2 else { return nil }
        var found: [String: Identity] = [:]
        for row in 0..<rows[1].count {
            guard let digest = rows[1].text(row, 0) else { return nil }
            found[digest] = rows[1].text(row, 1).flatMap { Identity(text: $0) }
        }
        var outcome = BatchOutcome(replies: [])
        for role in roles {
            switch role {
            case .keeps: outcome.replies.append(.ticketKept)
            // Removed, so that of two takes in one batch only one gets it.
            case .takes(let digest): outcome.replies.append(.ticket(found.removeValue(forKey: digest)))
            }
        }
        return outcome
    }
}

extension Statement {
    /// $1 digest, $2 identity, $3 seconds. Also removes some that have expired.
    static let keepTickets = Statement(
        name: "keepTickets",
        sql: """
            with expired as (
                delete from hub.ticket t using (
                    select t.ctid from hub.ticket t where t.expires_at < now() order by t.expires_at limit 100 for update skip locked
                ) old
                where t.ctid = old.ctid
            )
            insert into hub.ticket (digest, identity, expires_at)
            select a.digest, a.identity, now() + a.seconds * interval '1 second'
            from unnest($1::text[], $2::text[], $3::bigint[]) a (digest, identity, seconds)
            on conflict (digest) do nothing
            """)

    /// $1 digest. Returns the digest and the identity of each ticket that was there and has not expired. Expired ones are removed, too.
    static let takeTickets = Statement(
        name: "takeTickets",
        sql: """
            with taken as (
                delete from hub.ticket t using (select distinct unnest($1::text[]) collate "C" as digest) a
                cross join lateral (select t.ctid from hub.ticket t where t.digest = a.digest limit 1 for update) held
                where t.ctid = held.ctid
                returning t.digest, t.identity, t.expires_at
            )
            select digest, identity from taken where expires_at > now()
            """)
}

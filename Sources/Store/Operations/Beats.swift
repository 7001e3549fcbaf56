import Messaging
import Postgres
import StoreAPI

/// `beat` orders: a hub says that it works on the database, counts the others, and removes rows of the journal that all have read.
enum Beats: StoreOperation {
    static let statements: [Statement] = [.beat]
    static let lane = LaneName.cursors
    // `NodeBeat` has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Rows of the journal that one beat looks at. A hub writes a few hundred in the time between two beats.
    static let mostRemoved = 2_000

    static func batch(of orders: [PendingOrder]) -> any Batch { BeatBatch(orders) }
}

struct BeatBatch: Batch {
    private var node = NodeIdentity(id: "", name: "", version: "")

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .beat(let node) = pending.order.request else {
                assertionFailure("not a beat order")
                continue
            }
            self.node = node
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        for text in [node.id, node.name, node.version] { parameters.append(text) }
        return [(.beat, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let others = rows.first?.int64(0, 0) else { return nil }
        return BatchOutcome(replies: [.nodes(others: Int(others))])
    }
}

extension Statement {
    private static let isOld = "o.noted_at < now() - interval '5 minutes'"

    /// $1 id, $2 name and $3 version of this hub. Returns how many other hubs were seen in the last ten seconds.
    ///
    /// The oldest rows of the journal are at the left edge of its index. Rows that another hub is removing are left to it. A hub that has
    /// not been seen for an hour is forgotten.
    static let beat = Statement(
        name: "beat",
        sql: """
            with seen as (
                insert into hub.node (id, name, version, started_at, seen_at) values ($1::text, $2::text, $3::text, now(), now())
                on conflict (id) do update set seen_at = excluded.seen_at
            ), removed as (
                delete from hub.journal j
                using (
                    select o.place from (
                        select j.ctid as place, j.noted_at from hub.journal j
                        where exists (
                            select from (select j.noted_at from hub.journal j order by j.transaction limit 1) o where \(isOld)
                        )
                        order by j.transaction limit \(Beats.mostRemoved) for update skip locked
                    ) o
                    where \(isOld)
                ) o
                where j.ctid = o.place
            ), forgotten as (
                delete from hub.node n where n.id > '' and n.id <> $1::text collate "C" and n.seen_at < now() - interval '1 hour'
            )
            select count(*) from hub.node n where n.id > '' and n.id <> $1::text collate "C" and n.seen_at > now() - interval '10 seconds'
            """)
}

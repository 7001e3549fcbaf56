import Messaging
import StoreAPI

/// `ingest` orders. They have a turn of their own, so that messages of users wait for one batch of them at most. An order that is larger
/// than a batch is carried out by several transactions, and the last of them stores its positions. If one fails, the order fails; when it
/// is handed in again, the entries that are stored already are recognized by their keys.
enum Ingests: StoreOperation {
    // Its batches also execute the statements of `Entries`, which the same connection prepares.
    static let statements: [Statement] = [.ensureChannels]
    static let lane = LaneName.entries
    static let capacity = 1_000
    // The intake hands in one order at a time, and its drafts are in order.
    static let unsorted = Int.max
    static let waitsWhileAway = false
    // The intake waits for the end of what it asked for, because a repeat takes as long.
    static let isImpatient = false

    static func batch(of orders: [PendingOrder]) -> any Batch { EntryBatch(orders, areIngested: true) }

    static func outage(of request: StoreRequest, isSlow: Bool) -> StoreFailure { isSlow ? .tooSlow : .unavailable }

    static func drafts(of request: StoreRequest) -> [EntryDraft] {
        if case .ingest(let drafts, _) = request { drafts } else { [] }
    }

    struct Filling: BatchFilling {
        func weight(of request: StoreRequest) -> Int? {
            guard case .ingest(let drafts, let positions) = request else { return 1 }
            // An order that is larger than a batch is alone in it.
            return min(drafts.reduce(positions.count) { $0 + Entries.weight(of: $1) }, capacity)
        }
    }
}

extension Statement {
    /// $1 names. Only `open` makes conversations.
    static let ensureChannels = Statement(
        name: "ensureChannels",
        sql: """
            insert into hub.channel (name, kind)
            select distinct n.name, split_part(n.name, ':', 1)
            from unnest($1::text[]) n (name)
            left join hub.channel c on c.name = n.name collate "C"
            where n.name not like 'conversation:%' and c.id is null
            order by 1
            on conflict (name) do nothing
            """)
}

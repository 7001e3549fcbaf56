package import Messaging

/// The kinds of work that are batched together, and what becomes of each while the database is away.
///
/// | work | requests | arrives or waits while away | was in flight when the connection broke |
/// |---|---|---|---|
/// | entries | ingest, append | `.unavailable` at once: the intake pauses, a sender tries again with the same key | kept and run again |
/// | conversations | open | kept, run when it is back | kept and run again |
/// | acks | move of `delivered`, not in a conversation | kept, run when it is back | kept and run again |
/// | cursors | any other move, and what acks left | kept, run when it is back | kept and run again |
/// | states, pages | snapshot, conversations, state, page | kept, run when it is back | kept and run again |
///
/// What is kept waits at most `StoreConfiguration.patience`, then it is `.unavailable` too. Running again is safe because
/// every kept request is idempotent: entries by their key, conversations by their pair, cursors because they only move
/// forward (a mark-unread repeated is the same mark-unread). So a reply always follows a commit that is known.
/// Entries that were answered `.unavailable` although they may have been committed are looked up when the database is
/// back, and those found go to the bus: who follows the channel live must not miss them.
package enum Work: Int, CaseIterable {
    case entries, conversations, acks, cursors, states, pages

    package init(_ request: StoreRequest) {
        switch request {
        case .ingest, .append: self = .entries
        case .open: self = .conversations
        // In a conversation every entry is somebody's own, and counters must be counted.
        case .move(_, .conversation, _, _): self = .cursors
        case .move(_, _, .delivered, _): self = .acks
        case .move: self = .cursors
        case .snapshot, .conversations, .state: self = .states
        case .page: self = .pages
        }
    }

    var waitsWhileAway: Bool {
        switch self {
        case .conversations, .acks, .cursors, .states, .pages: true
        case .entries: false
        }
    }

    /// Who does what a batch of this leaves.
    package var next: Work { self == .acks ? .cursors : self }

    /// How much of one batch an order takes; a batch is full at `capacity`. Bounds a transaction's time and a reply's memory.
    func weight(of request: StoreRequest) -> Int {
        switch request {
        case .ingest(let drafts, let positions): drafts.count + positions.count
        case .append, .open, .snapshot, .conversations, .state, .move: 1
        case .page(_, _, _, let limit): 1 + PageBatch.bounded(limit)
        }
    }

    package var capacity: Int {
        switch self {
        case .entries: 1_000
        case .conversations: 200
        case .acks, .cursors: 1_000
        case .states: 250
        case .pages: 2_000
        }
    }

    func batch(of orders: [PendingOrder]) -> any Batch {
        switch self {
        case .entries: EntryBatch(orders)
        case .conversations: ConversationBatch(orders)
        case .acks: AckBatch(orders)
        case .cursors: CursorBatch(orders)
        case .states: StateBatch(orders)
        case .pages: PageBatch(orders)
        }
    }
}

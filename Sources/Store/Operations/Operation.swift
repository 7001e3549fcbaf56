import Messaging

// The list of operations. A new operation adds a case here, and the compiler asks for its two lines below.

/// The kinds of orders that are batched together.
///
/// | operation | requests | arrives or waits while the database is away | was in flight when the connection broke |
/// |---|---|---|---|
/// | ingests | ingest | `.unavailable` at once: the intake pauses | waits, runs again |
/// | entries | append | `.unavailable` at once: the sender tries again with the same key | waits, runs again |
/// | changes | change | `.unavailable` at once: the sender tries again with the same key | waits, runs again |
/// | conversations | open | waits | waits, runs again |
/// | blockings | block, unblock | waits | waits, runs again |
/// | leaves | leave | waits | waits, runs again |
/// | acks | move of `delivered`, not in a conversation | waits | waits, runs again |
/// | cursors | any other move, and what acks left | waits | waits, runs again |
/// | removals | remove | `.unavailable` at once: the step is tried again later | waits, runs again |
/// | states, pages, positions, blockLists, kinds | snapshot, conversations, state, page, positions, blocks, kind | waits | waits, runs again |
/// | fencings | fence | waits | waits, runs again |
/// | tickets | keepTicket, takeTicket | `.unavailable` at once: the client tries again | waits, runs again |
/// | accessChanges, accessSettlements | changeAccess, settleAccess | `.unavailable` at once: asked again soon | waits, runs again |
/// | withdrawals, fences, journal, switches, beats, sources | the same, beat | `.unavailable` at once: asked again soon | waits, runs again |
///
/// An order waits at most `StoreConfiguration.longestWait`, then it is `.unavailable` too. Running it again is safe because
/// every request is idempotent: entries by their key, conversations by their pair, cursors because they only move
/// forward (a mark-unread repeated is the same mark-unread). So a reply always follows a commit that is known.
enum Operation: Int, CaseIterable {
    case ingests, entries, changes, conversations, blockings, leaves, acks, cursors, states, pages, positions, withdrawals, journal, beats,
        removals, blockLists, fencings, fences, tickets, accessChanges, accessSettlements, sources, switches, kinds

    var descriptor: any StoreOperation.Type {
        switch self {
        case .ingests: Ingests.self
        case .entries: Entries.self
        case .changes: Changes.self
        case .conversations: Conversations.self
        case .blockings: Blockings.self
        case .blockLists: BlockLists.self
        case .leaves: Leaves.self
        case .acks: Acks.self
        case .cursors: Cursors.self
        case .states: States.self
        case .pages: Pages.self
        case .removals: Removals.self
        case .positions: Positions.self
        case .withdrawals: Withdrawals.self
        case .journal: Journal.self
        case .kinds: Kinds.self
        case .switches: Switches.self
        case .beats: Beats.self
        case .fencings: Fencings.self
        case .fences: FenceReadings.self
        case .tickets: Tickets.self
        case .accessChanges: AccessChanges.self
        case .accessSettlements: AccessSettlements.self
        case .sources: Sources.self
        }
    }

    /// The operation that carries out a request.
    init(_ request: StoreRequest) {
        switch request {
        case .ingest: self = .ingests
        case .append: self = .entries
        case .change: self = .changes
        case .open: self = .conversations
        case .block, .unblock: self = .blockings
        case .blocks: self = .blockLists
        case .leave: self = .leaves
        case .move(_, let channel, let change, _): self = Acks.takes(change, in: channel) ? .acks : .cursors
        case .snapshot, .conversations, .state: self = .states
        case .page: self = .pages
        case .remove: self = .removals
        case .positions: self = .positions
        case .withdrawals: self = .withdrawals
        case .journal: self = .journal
        case .kind: self = .kinds
        case .switches: self = .switches
        case .beat: self = .beats
        case .fence: self = .fencings
        case .fences: self = .fences
        case .keepTicket, .takeTicket: self = .tickets
        case .changeAccess: self = .accessChanges
        case .settleAccess: self = .accessSettlements
        case .sources: self = .sources
        }
    }
}

import Messaging

/// The purpose of one transaction.
enum LaneTask: Equatable {
    case orders(Operation, [PendingOrder])
    /// Looks up entries that may have been committed without an announcement.
    case recall([EntryDraft])
    /// Tries a write that is known to be good, because the database refused an order that was alone in its transaction.
    case probe
    /// Asks for the lock by which a hub knows that it is the only one on its database.
    case claim

    var batch: any Batch {
        switch self {
        case .orders(let operation, let orders): operation.descriptor.batch(of: orders)
        case .recall(let drafts): RecallBatch(drafts: drafts)
        case .probe: ProbeBatch()
        case .claim: ClaimBatch()
        }
    }
}

import Bus
import Messaging
import Postgres

/// Orders that share one transaction: the statements that are sent, and the meaning of the rows that come back. Pure; a `Lane` runs it.
protocol Batch {
    /// The statements of the transaction, in order.
    var statements: [(statement: Statement, parameters: Parameters)] { get }

    /// - Parameter rows: one element per statement.
    /// - Returns: nil when the rows are not what the statements promise.
    func outcome(of rows: [Rows]) -> BatchOutcome?
}

struct BatchOutcome: Equatable {
    var events: [BusEvent] = []
    /// One per order, except for those of `left`.
    var replies: [StoreReply]
    /// What the only order of the batch has stored so far. Its rest is carried out by other transactions, and it has no reply yet.
    var partial: [StoredDraft?]?
    /// Indices of the orders that this batch could not carry out and the operation's successor will, ascending.
    var left: [Int] = []
}

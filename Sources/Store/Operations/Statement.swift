/// One SQL statement of the store. It takes arrays, one element per order, so that a batch is one execution.
///
/// The file of the operation that executes a statement holds its text. Every transaction takes its locks in this order, so that two
/// hubs on one database do not deadlock:
/// channel names being made (by name), channel rows (by id), ingest positions (by topic, partition);
/// cursor rows (by user, channel) in transactions of their own.
/// Each statement sees what was committed when it began (READ COMMITTED). So the statement after a lock sees what the lock's previous
/// holder committed.
struct Statement: Equatable, Sendable {
    /// The connection prepares the statement under this name.
    let name: String
    let sql: String

    /// Every statement, each once.
    static let all = Operation.allCases.flatMap { $0.descriptor.statements } + [probe, recallEntries, claim]
}

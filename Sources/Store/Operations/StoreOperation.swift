import Messaging

/// What the store knows about one of its operations. A file of this folder holds each conforming type; `Operation` lists them.
protocol StoreOperation {
    /// Decides how many orders make a batch.
    associatedtype Filling: BatchFilling = UniformFilling

    /// The statements that its batches execute.
    static var statements: [Statement] { get }
    /// The connection that carries it. The lane's histogram counts its transactions.
    static var lane: LaneName { get }
    /// The weight at which a batch is full. It bounds the time of a transaction and the memory of a reply.
    static var capacity: Int { get }
    /// How many orders may wait before they are sorted by their users. Fewer are one batch, in which nobody waits for anybody.
    static var unsorted: Int { get }
    /// Most of a batch that one user's orders take while orders are sorted; an order that weighs more is alone. It bounds how long the
    /// transaction of one user delays another.
    static var share: Int { get }
    /// What a user's turn adds to the weight that the user's orders may take; about the weight of one order.
    static var quantum: Int { get }
    /// Whether an order waits for a database that is away, at most `StoreConfiguration.longestWait`. If not, it is answered at once.
    /// An order that was in flight when its connection broke waits in any case and runs again, so every operation is idempotent.
    static var waitsWhileAway: Bool { get }
    /// Whether an order is answered `.unavailable` when it has waited for `StoreConfiguration.longestWait`, whatever is under way. It may
    /// still be carried out.
    static var isImpatient: Bool { get }
    /// Whether its orders may wait a moment for others, to share a transaction with them (`LaneFlow.gathers`). Only where nobody would feel it.
    static var gathers: Bool { get }
    /// The operation that carries out the orders which a batch left (`BatchOutcome.left`). nil: a batch leaves none.
    static var successor: Operation? { get }

    static func batch(of orders: [PendingOrder]) -> any Batch

    /// The answer to a request that the store gives up because of the database.
    /// - Parameter isSlow: the database took too long over it.
    static func outage(of request: StoreRequest, isSlow: Bool) -> StoreFailure
    /// The entries that a request may have stored although it was given up. They are looked up when the database is back, and those
    /// found go to the bus, because users who follow the channel live must not miss them.
    static func drafts(of request: StoreRequest) -> [EntryDraft]
}

extension StoreOperation {
    static var unsorted: Int { capacity }
    static var share: Int { 64 }
    static var quantum: Int { 1 }
    static var isImpatient: Bool { true }
    static var gathers: Bool { false }
    static var successor: Operation? { nil }
    static func outage(of request: StoreRequest, isSlow: Bool) -> StoreFailure { .unavailable }
    static func drafts(of request: StoreRequest) -> [EntryDraft] { [] }
}

/// Weighs the orders of one batch while it is filled.
protocol BatchFilling {
    init()
    /// How much of the batch the order would take. nil: the order must wait for the next batch.
    func weight(of request: StoreRequest) -> Int?
    /// The order is part of the batch.
    mutating func add(_ request: StoreRequest)
}

extension BatchFilling {
    func add(_ request: StoreRequest) {}
}

/// Every order weighs one, and any two may share a batch.
struct UniformFilling: BatchFilling {
    func weight(of request: StoreRequest) -> Int? { 1 }
}

/// The connections of the store that carry orders, each with one transaction under way.
enum LaneName: String, CaseIterable {
    case entries, cursors, reads

    var operations: [Operation] { Operation.allCases.filter { $0.descriptor.lane == self } }

    /// The statements that this connection prepares.
    var statements: [Statement] {
        var statements = operations.flatMap { $0.descriptor.statements }
        if writes { statements.append(.probe) }
        if claimsDatabase { statements += [.recallEntries, .claim] }
        return statements
    }

    var writes: Bool { self != .reads }

    /// Whether this lane takes the lock by which a hub knows that it is the only one.
    var claimsDatabase: Bool { self == .entries }
}

import Messaging
import Postgres

/// What a lane's flow has to say to the log and the metrics.
enum LaneNote: Equatable {
    /// The database refused an order that was alone in its transaction.
    case poisonous
    /// A transaction failed because the database is short of something or slow.
    case failed(PostgresError)
    /// A part of an order was carried out that is larger than a transaction may be.
    case slice
    /// Orders were answered because they had waited long enough.
    case impatient(count: Int)
    /// Orders were given up because their users had too many waiting. The user of the first.
    case overShare(UserID?, count: Int)
    /// Rows came back that are not what the statements promise.
    case misunderstood
    /// Another hub holds the lock of the database, or no longer does.
    case otherHub, noOtherHub
}

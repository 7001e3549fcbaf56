/// How the store reaches its database, and its limits.
/// More than twelve stored properties: one for each setting.
package struct StoreConfiguration: Equatable, Sendable {
    /// A `postgresql://` URI or libpq's `key=value` form.
    package var address: String
    /// Orders accepted and not yet answered; more are refused at `submit`. Bounds memory when PostgreSQL is slow.
    package var capacity = 20_000
    /// Orders of one user that may wait for one operation while more wait than one transaction takes. The others are answered
    /// `.unavailable`.
    package var ordersOfUser = 2_048
    /// How long an order waits for the database to come back before it is answered `.unavailable` (see `Operation`).
    package var longestWait: Duration = .seconds(5)
    /// PostgreSQL cancels a statement after this time, and its transaction is rolled back.
    package var statementTimeout: Duration = .seconds(10)
    /// As `statementTimeout`, for reads. Short, because one slow read delays all others.
    package var readTimeout: Duration = .seconds(2)
    /// A statement that waits for a lock for this long fails, and its orders are tried again. Below `readTimeout`, so that a read that
    /// waits for a lock is not taken for a slow one.
    package var lockTimeout: Duration = .milliseconds(1_500)
    /// A transaction without an answer for this long means a dead connection. Above `statementTimeout`, so that a slow
    /// but living server answers first.
    package var answerDeadline: Duration = .seconds(15)
    /// From starting to connect until the connection can be used.
    package var connectDeadline: Duration = .seconds(10)
    /// Longest pause between two attempts to connect.
    package var longestBackoff: Duration = .seconds(3)
    /// Between two readings of the memberships that ended: with the reading itself, less than the second within which their sessions end.
    package var withdrawalInterval: Duration = .milliseconds(500)
    package var retention = RetentionSettings()
    /// Other hubs work on this database: this one tells them what it commits, and reads what they commit.
    package var isShared = false
    /// It tells them by NOTIFY, because nothing else does.
    package var rings = false
    /// How they hear of each other, for lists of them.
    package var busName = "postgres"
    /// The name under which other hubs list this one.
    package var nodeName = ""
    package var version = ""
    /// How long `stop()` lets accepted orders finish.
    package var stopGrace: Duration = .seconds(5)

    package init(address: String) { self.address = address }
}

/// Whether orders are served.
package enum StoreState: String, Sendable {
    /// Not connected yet, or the tables are being brought up to date.
    case starting
    case up
    /// At least one connection is down.
    case away
    case stopped
}

import Bus
import Messaging
import Postgres

// What a `LaneFlow` is told, and what it asks for.
extension LaneFlow {
    struct Limits: Equatable {
        /// See `StoreConfiguration.ordersOfUser`.
        var ordersOfUser = 2_048
        /// How long an order waits for the database before it is answered `.unavailable`.
        var longestWait: Duration = .seconds(5)
        /// A transaction that is in flight this long means that the connection is dead.
        var answerDeadline: Duration = .seconds(15)
        /// Longest pause after a transaction for which the database was short of something.
        var longestBackoff: Duration = .seconds(3)
        /// How often a transaction of an order may be rolled back by a conflict before the order is given up.
        var conflicts = 5
        /// How often a hub that found another hub on its database looks whether that one has gone.
        var claimInterval: Duration = .seconds(5)
        /// How often, while orders wait for the database, those are looked for that have waited long enough.
        var expiryInterval: Duration = .milliseconds(100)
        /// How long orders that are gathered wait for others; in fact until the loop's next tick, at most 10 ms.
        var gatheringTime: Duration = .milliseconds(1)
        /// As many waiting orders are enough for a transaction.
        var gatheredOrders = 64
        /// Orders are gathered while the last transaction of such orders began at most this long ago.
        var gatheringStream: Duration = .milliseconds(100)
    }

    enum Event: Equatable {
        /// An order was handed in. Its transaction begins with `flush`, so that orders that were handed in together share it.
        case order(PendingOrder, Operation)
        case flush
        /// Nobody waits for these orders of a client any more.
        case cancel(Set<UInt64>, of: ObjectIdentifier)
        /// The database has this history. Orders of another one are given up.
        case connected(Epoch)
        /// The transaction in flight has an unknown end.
        case disconnected
        case finished(transaction: Int, Result)
        case timer(Timer)
        /// The store stops. Everything is answered, and nothing begins any more.
        case close
    }

    enum Result: Equatable {
        case committed(BatchOutcome)
        /// The lock was asked for; whether this hub holds it now.
        case claimed(Bool)
        /// The transaction was committed, and its rows are not what its statements promise.
        case misunderstood
        /// The transaction was rolled back, and the connection lives.
        /// - Parameter random: any 64 random bits.
        case failed(PostgresError, random: UInt64)
    }

    enum Action: Equatable {
        case begin(transaction: Int, LaneTask)
        /// Publish the events, then answer the orders. There is one reply per order.
        case settle([BusEvent], [PendingOrder], [StoreReply])
        case start(Timer, after: Duration)
        case cancel(Timer)
        /// `disconnected` follows.
        case disconnect(PostgresError)
        case reportMissingSchema
        case note(LaneNote)
    }

    enum Timer: Int, CaseIterable {
        /// The transaction in flight gets no answer.
        case answer
        /// The pause after a failure ends.
        case rest
        /// Orders that are gathered have waited for others.
        case gather
        /// The lock is asked for again.
        case claim
        /// Orders have waited long enough.
        case expiry
    }
}

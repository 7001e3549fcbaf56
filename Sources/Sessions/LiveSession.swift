import Linux
package import Messaging

/// A session and what its loop keeps for it. Used on its loop's thread only.
///
/// More than twelve stored properties: an idle session must cost little memory, and each of these as an object of its own would cost 16
/// bytes more. They are ordered so that no padding stands between them.
package final class LiveSession {
    package let id: SessionID
    package var session: Session
    /// The last sign of the user; before `connect` succeeded, when the session began.
    var activeAt: MonotonicInstant
    /// The loop's number for the user; `Users.nobody` until the user is known.
    var user = Users.nobody
    /// The number of `counters` pushes of this session.
    var countersVersion: UInt32 = 0
    /// Commands and pages waiting for the store, and tokens waiting for a key.
    var inFlight: Int32 = 0
    /// The pages among them.
    var pages: Int16 = 0
    /// Commands refused before `connect` succeeded.
    var unauthenticatedCommands: UInt8 = 0
    /// Its counters may be wrong in any channel and are asked for again.
    var hasMissedEvents = false
    var isReadingPaused = false
    /// The hub is being stopped: the session ends as soon as its commands are answered.
    var isLeaving = false
    /// The session ends when the user gives no sign for `SessionLimits.idle`.
    var endsWhenIdle = false
    /// The session is not bound to one connection; `SessionTable.resumable` has the rest.
    var isResumable = false
    /// `end` was called; the transport has not closed the session yet.
    var isEnding = false

    init(id: SessionID, session: consuming Session, now: MonotonicInstant) {
        self.id = id
        self.session = session
        activeAt = now
    }
}

/// What only a session has that outlives its connections: one that is reached by HTTP requests.
final class ResumableSession {
    let secret: SessionSecret
    /// Since when it has had neither a stream nor a waiting poll; nil while it has one.
    var detachedSince: MonotonicInstant?
    /// Where its subscriptions began, by registration: a client that names no position has got nothing behind it for certain.
    var started: [UInt32: Seq] = [:]

    init(secret: SessionSecret, now: MonotonicInstant) {
        self.secret = secret
        detachedSince = now
    }
}

import Linux
package import Messaging

/// A session and what its loop keeps for it. Used on its loop's thread only.
///
/// An idle session must cost little memory: the properties are ordered so that no padding stands between them, and 8 bytes more would cost 16,
/// because of the steps in which memory is allocated.
package final class LiveSession {
    package let id: SessionID
    package var session: Session
    // These share the padding of `session`.
    private var flags: Flags = []
    /// Pages waiting for the store, at most `SessionLimits.pages`.
    var pages: UInt8 = 0
    /// Commands refused before `connect` succeeded.
    var unauthenticatedCommands: UInt8 = 0
    /// Commands and pages waiting for the store, and tokens waiting for a key.
    var inFlight: Int32 = 0
    /// The last sign of the user; before `connect` succeeded, when the session began.
    var activeAt: MonotonicInstant
    /// The loop's number for the user; `Users.nobody` until the user is known.
    var user = Users.nobody
    /// The number of `counters` pushes of this session.
    var countersVersion: UInt32 = 0

    /// Its counters may be wrong in any channel and are asked for again.
    var hasMissedEvents: Bool {
        get { flags.contains(.missedEvents) }
        set { flags.set(.missedEvents, newValue) }
    }
    var isReadingPaused: Bool {
        get { flags.contains(.readingPaused) }
        set { flags.set(.readingPaused, newValue) }
    }
    /// The hub is being stopped: the session ends as soon as its commands are answered.
    var isLeaving: Bool {
        get { flags.contains(.leaving) }
        set { flags.set(.leaving, newValue) }
    }
    /// The session ends when the user gives no sign for `SessionLimits.idle`.
    var endsWhenIdle: Bool {
        get { flags.contains(.endsWhenIdle) }
        set { flags.set(.endsWhenIdle, newValue) }
    }
    /// The session is not bound to one connection; `SessionTable.resumable` has the rest.
    var isResumable: Bool {
        get { flags.contains(.resumable) }
        set { flags.set(.resumable, newValue) }
    }
    /// The session ends with the request that opened it, and has no credential.
    var isForOneRequest: Bool {
        get { flags.contains(.forOneRequest) }
        set { flags.set(.forOneRequest, newValue) }
    }
    /// Nobody reads the reply to `connect`, so the channels that it would list are not asked for.
    var isUnheard: Bool {
        get { flags.contains(.unheard) }
        set { flags.set(.unheard, newValue) }
    }
    /// `end` was called; the transport has not closed the session yet.
    var isEnding: Bool {
        get { flags.contains(.ending) }
        set { flags.set(.ending, newValue) }
    }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let missedEvents = Flags(rawValue: 1)
        static let readingPaused = Flags(rawValue: 2)
        static let leaving = Flags(rawValue: 4)
        static let endsWhenIdle = Flags(rawValue: 8)
        static let resumable = Flags(rawValue: 16)
        static let ending = Flags(rawValue: 32)
        static let forOneRequest = Flags(rawValue: 64)
        static let unheard = Flags(rawValue: 128)

        mutating func set(_ flag: Flags, _ isSet: Bool) {
            if isSet { insert(flag) } else { remove(flag) }
        }
    }

    init(id: SessionID, session: consuming Session, now: MonotonicInstant) {
        self.id = id
        self.session = session
        activeAt = now
    }
}

/// The additional state of a session that outlives its connections because its client sends HTTP requests.
final class ResumableSession {
    let secret: SessionSecret
    /// Since when it has had neither a stream nor a waiting poll; nil while it has one.
    var detachedSince: MonotonicInstant?
    /// Where its subscriptions began, by registration. A client that names no position is sent everything after this again.
    var started: [UInt32: Seq] = [:]

    init(secret: SessionSecret, now: MonotonicInstant) {
        self.secret = secret
        detachedSince = now
    }
}

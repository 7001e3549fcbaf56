import Messaging

/// A session and what its loop keeps beside it. Owned by one `SessionLoop`.
final class LiveSession {
    let key: SessionKey
    /// The frame format of its client; see `SessionOutlet.stage`.
    let format: UInt8
    var session: Session
    /// Came with the handshake; used by a `connect` without a token, then forgotten.
    var handshakeToken: String?
    /// The loop's number for the user; `Users.nobody` until identified.
    var user = Users.nobody
    /// Commands and pages waiting for the store, and tokens waiting for a key.
    var inFlight = 0
    /// Pages among them.
    var pages = 0
    /// Its counters may be wrong in any channel: they are asked for again.
    var hasMissedEvents = false
    var isReadingPaused = false
    /// Counts the `counters` pushes of this session.
    var countersVersion: UInt64 = 0

    init(key: SessionKey, format: UInt8, session: Session, handshakeToken: String?) {
        self.key = key
        self.format = format
        self.session = session
        self.handshakeToken = handshakeToken
    }
}

/// The users with sessions on one loop, each under a small number.
struct Users {
    static let nobody = UInt32.max

    private var numbers: [UserID: UInt32] = [:]
    private var sessions: [[SessionKey]] = []
    private var free: [UInt32] = []

    func number(of user: UserID?) -> UInt32 {
        guard let user else { return Self.nobody }
        return numbers[user] ?? Self.nobody
    }

    func sessions(of user: UserID) -> [SessionKey] {
        guard let number = numbers[user] else { return [] }
        return sessions[Int(number)]
    }

    mutating func add(_ key: SessionKey, for user: UserID) -> UInt32 {
        if let number = numbers[user] {
            sessions[Int(number)].append(key)
            return number
        }
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            sessions[Int(number)] = [key]
        } else {
            number = UInt32(truncatingIfNeeded: sessions.count)
            sessions.append([key])
        }
        numbers[user] = number
        return number
    }

    mutating func remove(_ key: SessionKey, of user: UserID) {
        guard let number = numbers[user] else { return }
        sessions[Int(number)].removeAll { $0 == key }
        if sessions[Int(number)].isEmpty {
            sessions[Int(number)] = []
            numbers[user] = nil
            free.append(number)
        }
    }
}

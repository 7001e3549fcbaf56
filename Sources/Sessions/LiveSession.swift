import Messaging

/// A session and what its loop keeps beside it. Owned by one `SessionLoop`.
final class LiveSession {
    // In an order that leaves no gaps, and in small numbers: there are ten thousands.
    let key: SessionKey
    var session: Session
    /// The frame format of its client; see `SessionOutlet.stage`.
    let format: UInt8
    /// Its counters may be wrong in any channel: they are asked for again.
    var hasMissedEvents = false
    var isReadingPaused = false
    /// The hub is being stopped: it is closed as soon as what it asked for is answered.
    var isLeaving = false
    /// What was refused before that.
    var strays: UInt8 = 0
    /// The loop's number for the user; `Users.nobody` until identified.
    var user = Users.nobody
    /// Counts the `counters` pushes of this session.
    var countersVersion: UInt32 = 0
    /// Commands and pages waiting for the store, and tokens waiting for a key.
    var inFlight: Int32 = 0
    /// Pages among them.
    var pages: Int16 = 0

    init(key: SessionKey, format: UInt8, session: consuming Session) {
        self.key = key
        self.format = format
        self.session = session
    }
}

/// The users with sessions on one loop, each under a small number.
struct Users: ~Copyable {
    static let nobody = UInt32.max

    /// Most have one session, which then needs no array of its own.
    private struct Sessions {
        var first: SessionKey
        var more: [SessionKey] = []
    }

    private var numbers: [UserID: UInt32] = [:]
    private var sessions: ContiguousArray<Sessions> = []
    private var free: [UInt32] = []

    func number(of user: UserID?) -> UInt32 {
        guard let user else { return Self.nobody }
        return numbers[user] ?? Self.nobody
    }

    func visitSessions(of user: UserID, _ body: (SessionKey) -> Void) {
        guard let number = numbers[user] else { return }
        let sessions = sessions[Int(number)]
        body(sessions.first)
        for key in sessions.more { body(key) }
    }

    mutating func add(_ key: SessionKey, for user: UserID) -> UInt32 {
        if let number = numbers[user] {
            sessions[Int(number)].more.append(key)
            return number
        }
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            sessions[Int(number)] = Sessions(first: key)
        } else {
            number = UInt32(truncatingIfNeeded: sessions.count)
            sessions.append(Sessions(first: key))
        }
        numbers[user] = number
        return number
    }

    mutating func remove(_ key: SessionKey, of user: UserID) {
        guard let number = numbers[user] else { return }
        let index = Int(number)
        guard sessions[index].first == key else { return sessions[index].more.removeAll { $0 == key } }
        if let next = sessions[index].more.popLast() {
            sessions[index].first = next
        } else {
            numbers[user] = nil
            free.append(number)
        }
    }
}

/// A loop's sessions by key. The lower half of a key is a small number that one session at a time has: an index.
struct SessionTable: ~Copyable {
    private var places: ContiguousArray<LiveSession?> = []
    private(set) var count = 0

    private static func place(_ key: SessionKey) -> Int { Int(UInt32(truncatingIfNeeded: key.rawValue)) }

    subscript(key: SessionKey) -> LiveSession? {
        let place = Self.place(key)
        guard place < places.count, let live = places[place], live.key == key else { return nil }
        return live
    }

    mutating func insert(_ live: LiveSession) {
        let place = Self.place(live.key)
        while places.count <= place { places.append(nil) }
        if places[place] == nil { count += 1 }
        places[place] = live
    }

    mutating func removeValue(forKey key: SessionKey) -> LiveSession? {
        guard let live = self[key] else { return nil }
        places[Self.place(key)] = nil
        count -= 1
        return live
    }

    var values: [LiveSession] { places.compactMap(\.self) }
    var keys: [SessionKey] { values.map(\.key) }
}

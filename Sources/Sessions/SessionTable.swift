import Auth
import Linux
import Messaging

/// The sessions of one loop, by id and by user, and the routes to their clients.
final class SessionTable {
    /// Says which loop this is, in the credentials of its sessions.
    let loop: UInt16
    private var slots: ContiguousArray<LiveSession?> = []
    /// By slot, apart from the sessions: a fan-out reads these alone, one after the other.
    private var routes: ContiguousArray<SlotRoute> = []
    /// By slot: the key that has verified the session's token. Apart from the sessions, where a byte more would cost 16.
    private var keys: ContiguousArray<KeyNumber> = []
    private var free: [UInt32] = []
    private(set) var count = 0
    private(set) var resumable: [SessionID: ResumableSession] = [:]
    var users = Users()

    private struct SlotRoute {
        var route: Route
        /// Of the slot's next or present session.
        var generation: UInt32
    }

    init(loop: UInt16) { self.loop = loop }

    subscript(id: SessionID) -> LiveSession? {
        let slot = Int(id.slot)
        guard slot < slots.count, let live = slots[slot], live.id == id else { return nil }
        return live
    }

    /// Precondition: the session is open. Rosters and users list only open sessions.
    @inline(__always)
    func route(_ id: SessionID) -> Route { routes[Int(id.slot)].route }

    func setRoute(_ route: Route, of id: SessionID) {
        guard self[id] != nil else { return }
        routes[Int(id.slot)].route = route
    }

    func setKey(_ key: KeyNumber, of id: SessionID) {
        guard self[id] != nil else { return }
        keys[Int(id.slot)] = key
    }

    /// The sessions whose tokens these keys have verified. From now on no key is known to vouch for them.
    func takeSessions(withKeys withdrawn: Set<KeyNumber>) -> [SessionID] {
        var found: [SessionID] = []
        for slot in keys.indices where keys[slot] != .none && withdrawn.contains(keys[slot]) {
            keys[slot] = .none
            if let live = slots[slot] { found.append(live.id) }
        }
        return found
    }

    /// The session with this credential, which is one of this loop.
    func session(_ credential: SessionCredential) -> LiveSession? {
        let slot = Int(credential.slot)
        guard credential.loop == loop, slot < slots.count, let live = slots[slot], let kept = resumable[live.id],
            kept.secret == credential.secret
        else { return nil }
        return live
    }

    func credential(of id: SessionID) -> SessionCredential? {
        resumable[id].map { SessionCredential(loop: loop, slot: id.slot, secret: $0.secret) }
    }

    func add(_ session: consuming Session, route: Route, now: MonotonicInstant) -> LiveSession {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(truncatingIfNeeded: slots.count)
            slots.append(nil)
            routes.append(SlotRoute(route: route, generation: 0))
            keys.append(.none)
        }
        let live = LiveSession(id: SessionID(slot: slot, generation: routes[Int(slot)].generation), session: session, now: now)
        slots[Int(slot)] = live
        routes[Int(slot)].route = route
        count += 1
        return live
    }

    func makeResumable(_ live: LiveSession, secret: SessionSecret, now: MonotonicInstant) {
        live.isResumable = true
        resumable[live.id] = ResumableSession(secret: secret, now: now)
    }

    func remove(_ id: SessionID) -> LiveSession? {
        guard let live = self[id] else { return nil }
        let slot = Int(id.slot)
        slots[slot] = nil
        routes[slot].generation &+= 1
        keys[slot] = .none
        free.append(id.slot)
        count -= 1
        if live.isResumable { resumable[id] = nil }
        if let identity = live.session.identity { users.remove(id, of: identity.user) }
        return live
    }

    var slotCount: Int { slots.count }
    func session(inSlot slot: Int) -> LiveSession? { slot < slots.count ? slots[slot] : nil }
    var all: [LiveSession] { slots.compactMap(\.self) }
}

/// The users with sessions on one loop, each under a small number.
struct Users: ~Copyable {
    static let nobody = UInt32.max

    private var numbers: [UserID: UInt32] = [:]
    /// By number.
    private var first: ContiguousArray<SessionID> = []
    /// By number. Most users have one session, and nothing here.
    private var others: [UInt32: [SessionID]] = [:]
    private var free: [UInt32] = []

    func number(of user: UserID?) -> UInt32 {
        guard let user else { return Self.nobody }
        return numbers[user] ?? Self.nobody
    }

    func count(of user: UserID) -> Int {
        guard let number = numbers[user] else { return 0 }
        return 1 + (others[number]?.count ?? 0)
    }

    /// A copy, so that sessions may come and go while the list is walked.
    func sessions(of user: UserID) -> [SessionID] {
        guard let number = numbers[user] else { return [] }
        return [first[Int(number)]] + (others[number] ?? [])
    }

    mutating func add(_ id: SessionID, for user: UserID) -> UInt32 {
        if let number = numbers[user] {
            others[number, default: []].append(id)
            return number
        }
        let number: UInt32
        if let reused = free.popLast() {
            number = reused
            first[Int(number)] = id
        } else {
            number = UInt32(truncatingIfNeeded: first.count)
            first.append(id)
        }
        numbers[user] = number
        return number
    }

    mutating func remove(_ id: SessionID, of user: UserID) {
        guard let number = numbers[user] else { return }
        var rest = others.removeValue(forKey: number) ?? []
        if first[Int(number)] != id {
            rest.removeAll { $0 == id }
        } else if let next = rest.popLast() {
            first[Int(number)] = next
        } else {
            numbers[user] = nil
            free.append(number)
            return
        }
        if !rest.isEmpty { others[number] = rest }
    }
}

import Bytes
internal import JSON
internal import OpenSSL

/// The SHA-256 of a whole token. It serves as a key of 32 bytes for tokens of any size.
public struct TokenDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public init(_ token: Span<UInt8>) {
        let bytes = Digest.sha256.hash(token)
        func word(_ index: Int) -> UInt64 { bytes[(index * 8)..<(index * 8 + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    public static func == (a: TokenDigest, b: TokenDigest) -> Bool { a.words == b.words }

    public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

    /// Enough to find it by, not to know it by.
    var start: UInt64 { words.0 }
}

/// The tokens verified lately, at most `capacity`.
///
/// Owns the slots and the index over them: `index[slots[i].digest.start] == i` for every slot. Eviction is the clock algorithm:
/// a hand goes round, passing over each slot used since its last visit once, so an insertion costs O(1) amortized.
struct VerifiedTokens {
    private struct Slot {
        var digest: TokenDigest
        var principal: Principal
        var validFrom: Int64
        var key: KeyNumber
        var isRecent: Bool
    }

    private let capacity: Int
    private var slots: [Slot] = []
    private var index: [UInt64: UInt32] = [:]
    private var hand = 0
    private var grants = SharedGrants()

    init(capacity: Int) {
        self.capacity = max(capacity, 0)
    }

    var count: Int { slots.count }

    /// nil outside the token's own time: no leeway here, so that a remembered verdict never outlives `exp`.
    mutating func principal(for digest: TokenDigest, now: Int64) -> (Principal, KeyNumber)? {
        guard let position = index[digest.start].map({ Int($0) }), slots[position].digest == digest, slots[position].validFrom <= now,
            now < slots[position].principal.expiresAt
        else { return nil }
        slots[position].isRecent = true
        return (slots[position].principal, slots[position].key)
    }

    /// Answers the principal as it is remembered, which shares what it has in common with others.
    @discardableResult
    mutating func insert(_ principal: Principal, by key: KeyNumber, for digest: TokenDigest, validFrom: Int64) -> Principal {
        guard capacity > 0 else { return principal }
        let principal = grants.sharing(principal)
        let slot = Slot(digest: digest, principal: principal, validFrom: validFrom, key: key, isRecent: false)
        if let position = index[digest.start] {
            slots[Int(position)] = slot
        } else if slots.count < capacity {
            index[digest.start] = UInt32(slots.count)
            slots.append(slot)
        } else {
            let position = evicted()
            index[slots[position].digest.start] = nil
            index[digest.start] = UInt32(position)
            slots[position] = slot
        }
        assert(index.count == slots.count)
        return principal
    }

    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        index.removeAll(keepingCapacity: true)
        hand = 0
        grants = SharedGrants()
    }

    private mutating func evicted() -> Int {
        while slots[hand].isRecent {
            slots[hand].isRecent = false
            hand = (hand + 1) % slots.count
        }
        defer { hand = (hand + 1) % slots.count }
        return hand
    }
}

/// Institutions and roles as many tokens name them, one copy each: a session keeps them for as long as it lives.
private struct SharedGrants {
    /// Beyond it the rest stays unshared; tokens are signed by the platform, which has no more of them.
    private static let most = 4_096
    private var names: Set<String> = []
    private var lists: Set<[String]> = []
    /// As a rule the next has the same, and needs no look into the sets.
    private var last: Principal?

    mutating func sharing(_ principal: Principal) -> Principal {
        var shared = principal
        defer { last = shared }
        if let institution = principal.institution {
            shared.institution = Self.one(institution, last?.institution, &names) { $0.isSameText(as: $1) }
        }
        shared.roles = Self.one(principal.roles, last?.roles, &lists, Self.haveSameBytes)
        shared.channels = Self.one(principal.channels, last?.channels, &lists, Self.haveSameBytes)
        return shared
    }

    private static func haveSameBytes(_ a: [String], _ b: [String]) -> Bool {
        guard a.count == b.count else { return false }
        for index in a.indices where !a[index].isSameText(as: b[index]) { return false }
        return true
    }

    /// Swift's `==` takes a composed and a decomposed é for one; to the platform they are two.
    private static func one<Value: Hashable>(
        _ value: Value, _ last: Value?, _ known: inout Set<Value>, _ isSame: (Value, Value) -> Bool
    ) -> Value {
        if let last, isSame(last, value) { return last }
        if let position = known.firstIndex(of: value) { return isSame(known[position], value) ? known[position] : value }
        if known.count < most { known.insert(value) }
        return value
    }
}

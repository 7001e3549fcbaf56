internal import OpenSSL

/// SHA-256 of a whole token: 32 bytes to remember it by, whatever its size.
struct TokenDigest: Hashable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    init(_ token: Span<UInt8>) {
        let bytes = Digest.sha256.hash(token)
        func word(_ index: Int) -> UInt64 { bytes[(index * 8)..<(index * 8 + 8)].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    static func == (a: TokenDigest, b: TokenDigest) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// The tokens verified lately, at most `capacity`.
///
/// Owns the slots and the index over them: `index[slots[i].digest] == i` for every slot. Eviction is the clock algorithm:
/// a hand goes round, passing over each slot used since its last visit once, so an insertion costs O(1) amortized.
struct VerifiedTokens {
    private struct Slot {
        var digest: TokenDigest
        var principal: Principal
        var validFrom: Int64
        var until: Int64
        var isRecent: Bool
    }

    private let capacity: Int
    private var slots: [Slot] = []
    private var index: [TokenDigest: Int] = [:]
    private var hand = 0

    init(capacity: Int) {
        self.capacity = max(capacity, 0)
    }

    var count: Int { slots.count }

    /// nil outside the token's own time: no leeway here, so that a remembered verdict never outlives `exp`.
    mutating func principal(for digest: TokenDigest, now: Int64) -> Principal? {
        guard let position = index[digest], slots[position].validFrom <= now, now < slots[position].until else { return nil }
        slots[position].isRecent = true
        return slots[position].principal
    }

    mutating func insert(_ principal: Principal, for digest: TokenDigest, validFrom: Int64, until: Int64) {
        guard capacity > 0 else { return }
        let slot = Slot(digest: digest, principal: principal, validFrom: validFrom, until: until, isRecent: false)
        if let position = index[digest] {
            slots[position] = slot
        } else if slots.count < capacity {
            index[digest] = slots.count
            slots.append(slot)
        } else {
            let position = evicted()
            index[slots[position].digest] = nil
            index[digest] = position
            slots[position] = slot
        }
        assert(index.count == slots.count)
    }

    mutating func removeAll() {
        slots.removeAll(keepingCapacity: true)
        index.removeAll(keepingCapacity: true)
        hand = 0
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

// A hashed timer wheel: links in one array, no allocation per arming, O(1) to arm, move and disarm.
// Invariant: an entry is in the bucket of `due` at the time it was linked, or of an earlier tick (a later `due` is taken
// note of without moving the entry; it moves when its old bucket comes round).

/// Pure: ticks are given, never read from a clock. Entries are small integers chosen by the owner.
package struct TimerWheel {
    private struct Link {
        var next: Int32
        var previous: Int32
        /// The tick it expires at; `Int64.max` when disarmed.
        var due: Int64
    }

    private static let idle = Int64.max
    private let mask: Int64
    /// Bucket sentinels 0…mask, then the entries.
    private var links: [Link]
    /// One bit per bucket that may hold entries.
    private var occupied: [UInt64]
    /// The last tick whose entries were taken.
    private(set) var current: Int64
    /// Entries that are linked.
    private var linked = 0

    /// - Parameter buckets: a power of two, at least 64. Timers beyond that many ticks stay where they are for another round.
    package init(buckets: Int, current: Int64 = 0) {
        precondition(buckets >= 64 && buckets & (buckets - 1) == 0)
        mask = Int64(buckets - 1)
        links = (0..<Int32(buckets)).map { Link(next: $0, previous: $0, due: Self.idle) }
        occupied = Array(repeating: 0, count: buckets / 64)
        self.current = current
    }

    private var buckets: Int { Int(mask) + 1 }

    /// Makes room for entries 0..<count.
    package mutating func reserve(_ count: Int) {
        while links.count < buckets + count {
            let index = Int32(links.count)
            links.append(Link(next: index, previous: index, due: Self.idle))
        }
    }

    package func isArmed(_ entry: Int) -> Bool { links[buckets + entry].due != Self.idle }

    /// Arms or re-arms; a tick already taken means the next one.
    package mutating func arm(_ entry: Int, due: Int64) {
        let index = buckets + entry
        let due = min(max(due, current + 1), Self.idle - 1)
        let isLinked = links[index].next != Int32(index)
        if isLinked {
            // A later tick is only noted; the entry moves when its bucket comes round. So a deadline that every read moves
            // later costs one memory store.
            if due >= links[index].due, links[index].due != Self.idle {
                links[index].due = due
                return
            }
            unlink(index)
        }
        links[index].due = due
        link(index, after: due)
    }

    package mutating func disarm(_ entry: Int) {
        let index = buckets + entry
        guard links[index].next != Int32(index) else {
            links[index].due = Self.idle
            return
        }
        unlink(index)
        links[index].due = Self.idle
    }

    private mutating func link(_ index: Int, after due: Int64) {
        let bucket = Int(due & mask)
        let last = Int(links[bucket].previous)
        links[index].previous = Int32(last)
        links[index].next = Int32(bucket)
        links[last].next = Int32(index)
        links[bucket].previous = Int32(index)
        occupied[bucket >> 6] |= 1 << UInt64(bucket & 63)
        linked += 1
    }

    private mutating func unlink(_ index: Int) {
        let (next, previous) = (Int(links[index].next), Int(links[index].previous))
        links[previous].next = Int32(next)
        links[next].previous = Int32(previous)
        links[index].next = Int32(index)
        links[index].previous = Int32(index)
        linked -= 1
        // Alone in its bucket: both neighbours are the sentinel.
        if next == previous, next < buckets { occupied[next >> 6] &= ~(1 << UInt64(next & 63)) }
    }

    /// Takes the entries due at `tick` or before, disarms them, and appends them to `expired`: in the order of their due ticks,
    /// equal ones in the order of arming (an entry that was pushed on may come a little before its turn in that order).
    package mutating func advance(to tick: Int64, into expired: inout [Int]) {
        guard tick > current else { return }
        let laps = tick - current > mask
        if linked > 0 {
            var dues: [(due: Int64, entry: Int)] = []
            for step in 1...min(tick - current, mask + 1) {
                let bucket = Int((current + step) & mask)
                guard occupied[bucket >> 6] & (1 << UInt64(bucket & 63)) != 0 else { continue }
                var index = Int(links[bucket].next)
                while index != bucket {
                    let next = Int(links[index].next)
                    let due = links[index].due
                    if due <= tick {
                        unlink(index)
                        links[index].due = Self.idle
                        if laps { dues.append((due, index - buckets)) } else { expired.append(index - buckets) }
                    } else if Int(due & mask) != bucket {
                        // Its deadline was moved later, so it goes to the bucket of the new tick.
                        unlink(index)
                        link(index, after: due)
                    }
                    index = next
                }
            }
            if laps {
                // More than a whole round at once: buckets no longer come in the order of their ticks.
                dues.sort { $0.due < $1.due }
                expired.append(contentsOf: dues.lazy.map(\.entry))
            }
        }
        current = tick
    }

    /// The next tick worth looking at: nothing is due before it (something may not be due at it either). Nil when nothing is armed.
    package func nextTick() -> Int64? {
        guard linked > 0 else { return nil }
        let start = Int((current + 1) & mask)
        let words = occupied.count
        for step in 0...words {
            let word = (start >> 6 + step) % words
            var bits = occupied[word]
            if step == 0 { bits &= ~0 << UInt64(start & 63) }
            if step == words { bits &= ~(~0 << UInt64(start & 63)) }
            if bits != 0 {
                let bucket = word << 6 + bits.trailingZeroBitCount
                return current + 1 + Int64((bucket - start) & Int(mask))
            }
        }
        return nil
    }
}

import Linux

/// Deadlines of connections: slots in buckets of ticks. The record says which entry still counts.
struct DeadlineWheel {
    static let tick: Duration = .milliseconds(100)
    private static let tickNanoseconds: Int64 = 100_000_000
    private static let buckets = 1_024

    struct Entry {
        let slot: UInt32
        let generation: UInt32
        let tick: UInt32
    }

    private let start: MonotonicInstant
    private var wheel: [[Entry]] = Array(repeating: [], count: buckets)
    /// Every entry up to this tick was taken.
    private(set) var current: UInt32 = 0

    init(now: MonotonicInstant) { start = now }

    /// The tick at which `moment` has passed; never the current one.
    func tick(_ moment: MonotonicInstant) -> UInt32 {
        let nanoseconds = max(0, (moment - start).wholeNanoseconds)
        let tick = UInt32(clamping: (nanoseconds + Self.tickNanoseconds - 1) / Self.tickNanoseconds)
        return max(tick, current &+ 1)
    }

    mutating func add(_ slot: UInt32, _ generation: UInt32, _ tick: UInt32) {
        wheel[Int(tick) % Self.buckets].append(Entry(slot: slot, generation: generation, tick: tick))
    }

    mutating func takeDue(now: MonotonicInstant) -> [Entry] {
        let target = UInt32(clamping: (now - start).wholeNanoseconds / Self.tickNanoseconds)
        guard target > current else { return [] }
        var due: [Entry] = []
        let rounds = min(target - current, UInt32(Self.buckets))
        for offset in 1...rounds {
            let bucket = Int(current &+ offset) % Self.buckets
            guard !wheel[bucket].isEmpty else { continue }
            var later: [Entry] = []
            for entry in wheel[bucket] {
                if entry.tick <= target { due.append(entry) } else { later.append(entry) }
            }
            wheel[bucket] = later
        }
        current = target
        return due
    }
}

import Linux

/// Names one timer; stale once it fired or was cancelled.
public struct TimerID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Timers in a hashed wheel: adding and cancelling cost the same whatever their number.
///
/// Invariant: every armed timer stands in the list of the bucket its tick falls into; a timer further ahead than one round stays
/// in its bucket until the round that is its own.
struct TimerWheel {
    static let tick: Duration = .milliseconds(10)
    private static let tickNanoseconds: Int64 = 10_000_000
    private static let buckets = 1_024

    private struct Timer {
        var generation: UInt32 = 0
        var dueTick: Int64 = 0
        var body: (() -> Void)?
    }

    private let start: MonotonicInstant
    private var timers: [Timer] = []
    private var free: [UInt32] = []
    private var wheel: [[TimerID]] = Array(repeating: [], count: buckets)
    private var firedTick: Int64 = 0
    private var count = 0
    /// No armed timer is due before this tick; lets a quiet loop sleep without scanning.
    private var earliestTick: Int64 = .max

    init(now: MonotonicInstant) { start = now }

    mutating func add(_ due: MonotonicInstant, _ body: @escaping () -> Void) -> TimerID {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(truncatingIfNeeded: timers.count)
            timers.append(Timer())
        }
        // Rounded up: never early.
        let nanoseconds = max(0, (due - start).wholeNanoseconds)
        let tick = max(firedTick + 1, (nanoseconds + Self.tickNanoseconds - 1) / Self.tickNanoseconds)
        timers[Int(slot)].dueTick = tick
        timers[Int(slot)].body = body
        let id = TimerID(slot: slot, generation: timers[Int(slot)].generation)
        wheel[Int(tick % Int64(Self.buckets))].append(id)
        count += 1
        earliestTick = min(earliestTick, tick)
        return id
    }

    mutating func cancel(_ id: TimerID) {
        guard Int(id.slot) < timers.count, timers[Int(id.slot)].generation == id.generation else { return }
        release(id)
    }

    private mutating func release(_ id: TimerID) {
        timers[Int(id.slot)].generation &+= 1
        timers[Int(id.slot)].body = nil
        free.append(id.slot)
        count -= 1
    }

    /// Ends the timers that are due; the caller runs them, for they may add others.
    mutating func takeDue(now: MonotonicInstant) -> [() -> Void] {
        let tick = (now - start).wholeNanoseconds / Self.tickNanoseconds
        guard tick > firedTick else { return [] }
        guard tick >= earliestTick else {
            firedTick = tick
            return []
        }
        var due: [() -> Void] = []
        let last = min(tick, firedTick + Int64(Self.buckets))
        var next = firedTick + 1
        while next <= last {
            let bucket = Int(next % Int64(Self.buckets))
            if !wheel[bucket].isEmpty {
                var kept: [TimerID] = []
                var found: [TimerID] = []
                for id in wheel[bucket] where timers[Int(id.slot)].generation == id.generation {
                    if timers[Int(id.slot)].dueTick <= tick { found.append(id) } else { kept.append(id) }
                }
                wheel[bucket] = kept
                for id in found {
                    if let body = timers[Int(id.slot)].body { due.append(body) }
                    release(id)
                }
            }
            next += 1
        }
        firedTick = tick
        earliestTick = nextTick()
        return due
    }

    /// Milliseconds until a timer is due; -1 without timers.
    func millisecondsToNext(now: MonotonicInstant) -> Int32 {
        guard count > 0, earliestTick != .max else { return -1 }
        let due = start + .nanoseconds(earliestTick * Self.tickNanoseconds)
        let left = (due - now).wholeNanoseconds
        return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
    }

    private func nextTick() -> Int64 {
        guard count > 0 else { return .max }
        var best = Int64.max
        for offset in 1...Int64(Self.buckets) {
            let tick = firedTick + offset
            if best <= tick { return best }
            for id in wheel[Int(tick % Int64(Self.buckets))] where timers[Int(id.slot)].generation == id.generation {
                best = min(best, timers[Int(id.slot)].dueTick)
            }
        }
        return best
    }
}

import Linux

/// Names one timer; stale once it ran or was cancelled.
public struct TimerID: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32
}

/// Time cut in ticks of 10 ms, counted from an origin.
struct TickClock {
    static let tickNanoseconds: Int64 = 10_000_000
    let origin: MonotonicInstant

    /// The first tick at or after `instant`, so that nothing fires early.
    func due(_ instant: MonotonicInstant) -> Int64 {
        let elapsed = instant.nanoseconds.subtractingReportingOverflow(origin.nanoseconds)
        if elapsed.overflow || elapsed.partialValue <= 0 { return 0 }
        let (quotient, rest) = elapsed.partialValue.quotientAndRemainder(dividingBy: Self.tickNanoseconds)
        return quotient + (rest > 0 ? 1 : 0)
    }

    /// The last tick at or before `instant`.
    func passed(_ instant: MonotonicInstant) -> Int64 { max(0, (instant.nanoseconds - origin.nanoseconds) / Self.tickNanoseconds) }

    func instant(of tick: Int64) -> MonotonicInstant {
        let (product, over) = tick.multipliedReportingOverflow(by: Self.tickNanoseconds)
        let (sum, overflow) = origin.nanoseconds.addingReportingOverflow(product)
        return MonotonicInstant(nanoseconds: over || overflow ? .max : sum)
    }
}

/// The loop's timers: a wheel of slots, and the closure of each slot.
struct TimerQueue: ~Copyable {
    private struct Slot {
        var generation: UInt32 = 0
        var body: (() -> Void)?
    }

    let clock: TickClock
    private var wheel = TimerWheel(buckets: 2048)
    private var slots: [Slot] = []
    private var free: [UInt32] = []
    private var expired: [Int] = []
    private var due: [TimerID] = []
    private var nextDue = 0

    /// Timers that neither ran nor were cancelled.
    var count: Int { slots.count - free.count }

    init(origin: MonotonicInstant) { clock = TickClock(origin: origin) }

    mutating func add(at instant: MonotonicInstant, _ body: @escaping () -> Void) -> TimerID {
        let slot: UInt32
        if let reused = free.popLast() {
            slot = reused
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
            wheel.reserve(slots.count)
        }
        slots[Int(slot)].body = body
        wheel.arm(Int(slot), due: clock.due(instant))
        return TimerID(slot: slot, generation: slots[Int(slot)].generation)
    }

    mutating func cancel(_ id: TimerID) {
        let slot = Int(id.slot)
        guard slot < slots.count, slots[slot].generation == id.generation, slots[slot].body != nil else { return }
        wheel.disarm(slot)
        release(slot)
    }

    private mutating func release(_ slot: Int) {
        slots[slot].body = nil
        slots[slot].generation &+= 1
        free.append(UInt32(slot))
    }

    /// Collects what is due; then `takeNext` until nil. The bodies run outside, where they may add and cancel timers.
    mutating func collect(at now: MonotonicInstant) {
        wheel.advance(to: clock.passed(now), into: &expired)
        for slot in expired { due.append(TimerID(slot: UInt32(slot), generation: slots[slot].generation)) }
        expired.removeAll(keepingCapacity: true)
    }

    mutating func takeNext() -> (() -> Void)? {
        while nextDue < due.count {
            let id = due[nextDue]
            nextDue += 1
            // An earlier timer of this batch may have cancelled it.
            guard slots[Int(id.slot)].generation == id.generation, let body = slots[Int(id.slot)].body else { continue }
            release(Int(id.slot))
            return body
        }
        due.removeAll(keepingCapacity: true)
        nextDue = 0
        return nil
    }

    /// When to look again; nil: nothing is armed.
    func nextInstant() -> MonotonicInstant? { wheel.nextTick().map(clock.instant(of:)) }
}

import Linux
import Messaging
import Reactor

/// The deadlines of a loop's sessions: `connect` in time, the token's expiry, the user's idle time, and how long a session lives without a
/// stream or a poll. A transport has deadlines of its own, such as for a pong.
///
/// One timer wheel with ticks of 100 ms and one entry for each session. A deadline that moves on is not armed anew: when the old one
/// passes, the session's next deadline is computed from its state.
final class SessionTimers {
    private static let tick: Duration = .milliseconds(100)

    private let state: LoopState
    private let origin: MonotonicInstant
    private var wheel = TimerWheel(buckets: 1_024)
    /// The loop's timer, and the tick it is for.
    private var scheduled: (timer: TimerID, tick: Int64)?
    private var passed: [Int] = []
    /// The session is over for this reason; nil: nobody would notice its end. Set once by the loop.
    var expired: (LiveSession, EndReason?) -> Void = { _, _ in }

    init(_ state: LoopState) {
        self.state = state
        origin = state.loop.now
    }

    /// Something about the session's deadlines has changed, other than a sign of its user.
    func arm(_ live: LiveSession) {
        guard let (next, _) = deadline(of: live) else { return wheel.reserve(state.table.slotCount) }
        wheel.reserve(state.table.slotCount)
        wheel.arm(Int(live.id.slot), due: ticks(until: next))
        schedule()
    }

    func disarm(_ live: LiveSession) {
        wheel.reserve(Int(live.id.slot) + 1)
        wheel.disarm(Int(live.id.slot))
    }

    /// The earliest deadline and what happens then; nil: none.
    private func deadline(of live: LiveSession) -> (MonotonicInstant, EndReason?)? {
        guard !live.isEnding else { return nil }
        guard live.session.phase == .open, let identity = live.session.identity else {
            return (live.activeAt + state.limits.connectWithin, .connectTimeout)
        }
        let left = identity.expiresAt.milliseconds &- state.now.milliseconds
        var next: (MonotonicInstant, EndReason?) = (state.loop.now + .milliseconds(max(0, left)), .tokenExpired)
        if live.endsWhenIdle, state.limits.idle > .zero {
            let idle = live.activeAt + state.limits.idle
            if idle < next.0 { next = (idle, .idle) }
        }
        if live.isResumable, let since = state.table.resumable[live.id]?.detachedSince {
            let end = since + state.limits.detached
            if end < next.0 { next = (end, nil) }
        }
        return next
    }

    private func ticks(until instant: MonotonicInstant) -> Int64 {
        let nanoseconds = max(0, instant.nanoseconds &- origin.nanoseconds)
        return nanoseconds / Self.tick.wholeNanoseconds + 1
    }

    private func schedule() {
        guard let tick = wheel.nextTick() else { return }
        if let scheduled {
            guard tick < scheduled.tick else { return }
            state.loop.cancel(scheduled.timer)
        }
        let due = MonotonicInstant(nanoseconds: origin.nanoseconds &+ tick &* Self.tick.wholeNanoseconds)
        let timer = state.loop.after(max(.milliseconds(1), due - state.loop.now)) { [unowned self] in
            scheduled = nil
            fire()
            schedule()
        }
        scheduled = (timer, tick)
    }

    private func fire() {
        let now = state.loop.now
        wheel.advance(to: (now.nanoseconds &- origin.nanoseconds) / Self.tick.wholeNanoseconds, into: &passed)
        let slots = passed
        passed.removeAll(keepingCapacity: true)
        for slot in slots {
            guard let live = state.table.session(inSlot: slot), let (next, reason) = deadline(of: live) else { continue }
            if next <= now { expired(live, reason) } else { wheel.arm(slot, due: ticks(until: next)) }
        }
    }
}

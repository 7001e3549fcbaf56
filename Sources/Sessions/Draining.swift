import Messaging
import Reactor

// A hub that is drained or stopped ends its sessions in small steps.
extension SessionLoop {
    /// Sessions ended at once, at most.
    private static let mostOfStep = 64
    /// Between two steps, unless that makes them too large.
    private static let drainPause: Duration = .milliseconds(50)

    /// Takes no new sessions, and ends every session (4200) in small steps over a time, each when its commands are answered. A client comes back
    /// within `spread` after it was told. Called again, it ends those that are left over the new time.
    /// - Parameter isFinal: the loop ends afterwards.
    package func drain(over time: Duration, spread: Duration, isFinal: Bool = false) {
        drainSpread = spread
        drainNumber &+= 1
        let sessions = state.table.all.map(\.id)
        let fewest = (sessions.count + Self.mostOfStep - 1) / Self.mostOfStep
        let steps = max(1, fewest, min(sessions.count, Int(time / Self.drainPause)))
        drainNext(sessions[...], step: (sessions.count + steps - 1) / steps, pause: time / steps, number: drainNumber, isFinal: isFinal)
    }

    /// Takes sessions again. Those that were told go all the same.
    package func undrain() {
        drainSpread = nil
        drainNumber &+= 1
    }

    private func drainNext(_ sessions: ArraySlice<SessionID>, step: Int, pause: Duration, number: Int, isFinal: Bool) {
        guard number == drainNumber else { return }
        for id in sessions.prefix(step) { leave(id) }
        let rest = sessions.dropFirst(step)
        guard !rest.isEmpty else {
            if isFinal { presence.leave() }
            return
        }
        state.loop.after(pause) { [unowned self] in drainNext(rest, step: step, pause: pause, number: number, isFinal: isFinal) }
    }

    /// The commands under way are answered; no other is read.
    func leave(_ id: SessionID) {
        guard let live = state.table[id], !live.isLeaving else { return }
        live.isLeaving = true
        if live.inFlight > 0 {
            if !live.isReadingPaused { state.outbound.pauseReading(id) }
            live.isReadingPaused = true
        }
        pages.goOn(live)
        endLeaving(live)
    }

    func endLeaving(_ live: LiveSession) {
        guard live.inFlight == 0 else { return }
        if live.isReadingPaused { state.outbound.resumeReading(live.id) }
        live.isReadingPaused = false
        state.end(live, .draining, spread: drainSpread ?? Self.standstillSpread)
    }
}

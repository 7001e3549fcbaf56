import Messaging
import Reactor

// A hub that is being stopped ends its sessions in small steps.
extension SessionLoop {
    /// Sessions ended per step of the drain.
    private static let drainStep = 64

    /// Ends every session (4200) in small steps over half of `spread`, each when its commands are answered; the clients come back over all of
    /// `spread`.
    package func drain(spread: Duration) {
        guard drainSpread == nil else { return }
        drainSpread = spread
        let sessions = state.table.all.map(\.id)
        let steps = max(1, (sessions.count + Self.drainStep - 1) / Self.drainStep)
        drainNext(sessions[...], pause: spread / (2 * steps))
    }

    private func drainNext(_ sessions: ArraySlice<SessionID>, pause: Duration) {
        for id in sessions.prefix(Self.drainStep) { leave(id) }
        let rest = sessions.dropFirst(Self.drainStep)
        guard !rest.isEmpty else { return }
        state.loop.after(pause) { [unowned self] in drainNext(rest, pause: pause) }
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
        state.end(live, .draining, spread: drainSpread ?? .zero)
    }
}

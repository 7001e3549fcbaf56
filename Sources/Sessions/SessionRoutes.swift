package import Messaging
import Reactor

// How frames reach the client of a session, and what happens when the way changes or has room again.
extension SessionLoop {
    /// The session that a request names. The request is a sign that its client lives.
    package func session(_ credential: SessionCredential) -> SessionID? {
        guard let live = state.table.session(credential) else { return nil }
        if let kept = state.table.resumable[live.id], kept.detachedSince != nil { kept.detachedSince = state.loop.now }
        return live.id
    }

    package func credential(of id: SessionID) -> SessionCredential? { state.table.credential(of: id) }

    /// From now on the session's frames take this route.
    package func move(_ id: SessionID, to route: Route) { state.table.setRoute(route, of: id) }

    /// A stream or a poll carries the session's frames from now on.
    package func attach(_ id: SessionID) {
        guard let live = state.table[id] else { return }
        state.table.resumable[id]?.detachedSince = nil
        timers.arm(live)
    }

    /// The session's stream or poll is over.
    package func detach(_ id: SessionID) {
        guard let live = state.table[id], let kept = state.table.resumable[id] else { return }
        kept.detachedSince = state.loop.now
        timers.arm(live)
    }

    /// How far the session was sent in each channel, for `resume`.
    package func positions(of id: SessionID) -> String {
        guard let live = state.table[id] else { return PositionText.write([], epoch: state.epoch) }
        return PositionText.write(
            live.session.subscriptions.compactMap { subscription in
                state.fanOut.grantedPosition(subscription).map { (subscription.channel, $0) }
            }, epoch: state.epoch)
    }

    /// Frames that were sent may not have arrived: sends again all entries behind `text`, and tells cursors, receipts and counters.
    /// - Parameter text: a result of `positions`. Nil, or a channel it does not name: from the start of the subscription.
    /// - Returns: false when the text is not one of a session's positions.
    package func resume(_ id: SessionID, behind text: String?) -> Bool {
        guard let live = state.table[id] else { return false }
        return subscriptions.resume(live, behind: text)
    }

    /// The way to the client has room again: a session that fell behind reads on, and is told what was left out.
    package func drained(_ id: SessionID) {
        guard let live = state.table[id] else { return }
        resumeReading(live)
        pages.goOn(live)
        replay.readOn(live)
        counters.drained(live)
        for subscription in live.session.subscriptions {
            guard let subscriber = state.fanOut.subscriber(subscription) else { continue }
            if subscriber.isCountersStale { counters.changed(subscription.channel) }
            if subscriber.hasMissedReceipts {
                _ = state.fanOut.update(subscription) { $0.hasMissedReceipts = false }
                gateway.recount(live, subscription)
            }
        }
        // Connections are settled behind the end of a turn, and the orders leave at the end of the next one.
        if gateway.waitingCount > 0 { state.loop.handle.wake() }
    }
}

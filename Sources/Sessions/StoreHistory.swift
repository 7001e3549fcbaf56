import Logging
import Messaging
import StoreAPI

/// What the sessions do when the database went back to an earlier state.
extension SessionLoop {
    /// Called before events and answers of the store are used: the store tells its epoch before it tells anything of that history.
    ///
    /// The numbers that the sessions know belong to the earlier history. So all of them end, and their clients come back with positions
    /// that are judged anew.
    func followHistory() {
        let epoch = state.services.store.epoch
        guard epoch != state.epoch else { return }
        let isFirst = state.epoch == nil
        state.epoch = epoch
        if isFirst { return }
        let sessions = state.table.all.filter { $0.session.phase == .open || $0.session.phase == .opening }
        for live in sessions {
            // At once: a closing session must not get entries of the new history.
            for index in live.session.subscriptions.indices.reversed() { subscriptions.leave(live, at: index) }
            state.end(live, .restored, spread: state.limits.restoredSpread)
        }
        state.log.notice("sessions ended, because the database has another history", metadata: ["sessions": "\(sessions.count)"])
    }
}

import Messaging
import Reactor

/// Ends the sessions whose key was withdrawn. There may be thousands: they end in slices of the loop's turns, and their clients are told to
/// come back over some seconds.
final class Revocation {
    private static let step = 64

    private let state: LoopState
    private var due: [SessionID] = []
    private var isSlicing = false

    init(_ state: LoopState) { self.state = state }

    func revoke(_ sessions: [SessionID]) {
        due += sessions
        guard !isSlicing, !due.isEmpty else { return }
        isSlicing = true
        state.loop.slice { [unowned self] in
            endStep()
            isSlicing = !due.isEmpty
            return isSlicing
        }
    }

    private func endStep() {
        for id in due.suffix(Self.step) {
            if let live = state.table[id] { state.end(live, .tokenRevoked, spread: state.limits.revokeSpread) }
        }
        due.removeLast(min(Self.step, due.count))
    }
}

import Messaging
import Reactor

/// Ends the sessions whose key was withdrawn, and those behind a fence. There may be thousands: they end in slices of the loop's turns, and their clients are told to
/// come back over some seconds.
final class Revocation {
    private static let step = 64

    var fences = Fences()
    private let state: LoopState
    private var due: [(session: SessionID, reason: EndReason)] = []
    private var isSlicing = false

    init(_ state: LoopState) { self.state = state }

    func revoke(_ sessions: [SessionID], _ reason: EndReason = .tokenRevoked) {
        due += sessions.map { ($0, reason) }
        guard !isSlicing, !due.isEmpty else { return }
        isSlicing = true
        state.loop.slice { [unowned self] in
            endStep()
            isSlicing = !due.isEmpty
            return isSlicing
        }
    }

    private func endStep() {
        for (id, reason) in due.suffix(Self.step) {
            if let live = state.table[id] { state.end(live, reason, spread: state.limits.revokeSpread) }
        }
        due.removeLast(min(Self.step, due.count))
    }
}

extension Fence {
    /// Why the sessions end that it holds back.
    var endReason: EndReason { reason == .privileges ? .privilegesChanged : .tokenRevoked }
}

import Linux
package import Messaging
package import Reactor
import WSProtocol

/// What a loop keeps for one WebSocket. Tens of thousands of them are idle, so all that only a busy one needs is elsewhere.
package final class WebSocketEndpoint {
    package let id: ConnectionID
    let openedAt: MonotonicInstant
    /// Nil while no message is in progress; see `FrameMachines`.
    var frames: FrameMachine?
    var liveness: Liveness
    // In the padding that `liveness` leaves.
    var format = FrameFormat.plain
    var kind = FrameMachine.Kind.plain
    /// The session on this connection.
    package var session = SessionID(slot: .max, generation: .max)

    enum Liveness {
        /// A byte last came from the peer at this moment. `read`: bytes before the last ping that it answered; `pinged`: before the last ping;
        /// see `PongWait`.
        case heard(MonotonicInstant, read: UInt32, pinged: UInt32)
        /// A ping was sent, and the peer must send something. The time is counted from the ping, not from the silence before it: a hub
        /// that was stopped for a while would otherwise cut all connections the moment it goes on.
        case awaitsPong(PongWait)
        /// A close frame is on its way. Until the peer's comes, its messages are skipped; it must end the connection by then.
        case closing(until: MonotonicInstant)
    }

    /// A byte has come from the peer.
    @inline(__always)
    func hear(_ now: MonotonicInstant) {
        switch liveness {
        case .heard(_, let read, let pinged): liveness = .heard(now, read: read, pinged: pinged)
        case .awaitsPong(let wait): liveness = .heard(now, read: wait.read, pinged: wait.acknowledged)
        case .closing: return
        }
    }

    /// A pong has come: all that was sent before the ping is read.
    func hearPong() {
        if case .heard(let now, _, let pinged) = liveness { liveness = .heard(now, read: pinged, pinged: pinged) }
    }

    var isClosing: Bool {
        if case .closing = liveness { true } else { false }
    }

    init(id: ConnectionID, now: MonotonicInstant) {
        self.id = id
        openedAt = now
        liveness = .heard(now, read: 0, pinged: 0)
    }
}

/// How a connection's frames are encoded; equal formats share one payload.
enum FrameFormat {
    static let plain: UInt8 = 0
    /// Compressed with the connection's own context. A frame for many connections goes to it uncompressed, which leaves the context alone.
    static let ownContext: UInt8 = 1
    /// Compressed without context, with a window of so many bits.
    static let windowBits: ClosedRange<UInt8> = 9...15

    static func of(_ deflate: DeflateAgreement?) -> UInt8 {
        guard let deflate else { return plain }
        if !deflate.serverNoContextTakeover { return ownContext }
        return windowBits.contains(deflate.serverWindowBits) ? deflate.serverWindowBits : plain
    }
}

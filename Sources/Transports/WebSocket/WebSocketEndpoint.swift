import Linux
package import Messaging
package import Reactor
import WSProtocol

/// What a loop keeps for one WebSocket. Tens of thousands of them are idle, so all that only a busy one needs is elsewhere.
package final class WebSocketEndpoint {
    package let id: ConnectionID
    /// Nil while no message is in progress; see `FrameMachines`.
    var frames: FrameMachine?
    /// When any byte last came from the peer.
    var heardAt: MonotonicInstant
    /// The peer must send something by then, or end the connection once it is being closed. A pong's time is counted from the ping, not from
    /// the silence before it: a hub that was stopped for a while would otherwise cut all connections the moment it goes on.
    var until = MonotonicInstant(nanoseconds: .max)
    /// The session on this connection.
    package var session = SessionID(slot: .max, generation: .max)
    var format = FrameFormat.plain
    var kind = FrameMachine.Kind.plain
    /// A close frame is on its way. Until the peer's comes, its messages are skipped.
    var isClosing = false
    var awaitsPong = false

    init(id: ConnectionID, now: MonotonicInstant) {
        self.id = id
        heardAt = now
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

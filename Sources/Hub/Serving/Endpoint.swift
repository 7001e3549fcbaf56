import HTTP
import Linux
import Reactor
import WSProtocol

/// What a loop keeps for one connection above its socket: an HTTP exchange first, a WebSocket after the upgrade.
final class Endpoint {
    enum Stage {
        case http
        case socket
        /// A close frame or a last response is on its way; input is dropped until the peer is gone or `until` passes.
        case closing
    }

    let id: ConnectionID
    let peer: PeerAddress
    var stage = Stage.http
    var exchange: HTTPExchange?
    var socket: WebSocketConnection?
    var format = FrameFormat.plain
    /// Texts sent from inside `receive` to a connection with a compression context of its own.
    var deferred: [[UInt8]] = []
    /// Inside `receive` the socket is being changed: a close asked for there waits until it is over.
    var isReceiving = false
    var closeAfterReceiving: (code: WebSocketCloseCode, reason: String)?
    /// Any inbound byte counts as a sign of life.
    var heardAt: MonotonicInstant
    /// A ping is out, and something must be heard by then. Counted from the ping, not from the silence before it: a hub that was
    /// stopped for a while itself would otherwise cut everybody the moment it goes on.
    var pongUntil: MonotonicInstant?
    /// The request head, the body, or `connect` must be there by then.
    var dwellUntil: MonotonicInstant?
    var expiresAt: MonotonicInstant?
    var closeUntil: MonotonicInstant?

    init(id: ConnectionID, peer: PeerAddress, exchange: HTTPExchange, now: MonotonicInstant) {
        self.id = id
        self.peer = peer
        self.exchange = exchange
        heardAt = now
    }

    func takeDeferred() -> [[UInt8]] {
        guard !deferred.isEmpty else { return [] }
        defer { deferred = [] }
        return deferred
    }
}

/// A request being received: bytes until the head is whole, then until the body is.
struct HTTPExchange {
    var parser: HTTPRequestParser
    var buffer: [UInt8] = []
    var request: HTTPRequest?
    var headBytes = 0
}

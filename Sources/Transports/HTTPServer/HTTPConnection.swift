import HTTP
import Linux
import Reactor

/// One connection that speaks HTTP. More than twelve stored properties: most are flags of its one request.
final class HTTPConnection {
    enum Stage: UInt8 {
        /// Requests are read and answered.
        case reading
        /// A handler owes the answer to a request.
        case waiting
        /// A handler sends a body piece by piece.
        case streaming
        /// The last response is on its way; input is dropped until the client is gone or `until` passes.
        case closing
    }

    static let never = MonotonicInstant(nanoseconds: .max)

    let id: ConnectionID
    let peer: PeerAddress
    let openedAt: MonotonicInstant
    /// Nil when no byte of a request is here.
    var receiving: HTTPReceiving?
    var stage = Stage.reading
    /// How the connection goes on behind the answer that a handler owes.
    var persistence = HTTPResponse.Persistence.keep
    var isHeadOnly = false
    var takesChunks = true
    var isQueued = false
    /// When the last request was answered. The next one's turn is the loop's next one.
    var servedAt = HTTPConnection.never
    /// Handed over by another loop to one that has as many connections as it may.
    var isOneTooMany = false
    /// Accepted beyond the limit of connections: only questions that need no handler are answered.
    var isOfReserve = false
    /// Its address has more connections than it may.
    var exceedsAddress = false
    /// Owes the answer to a request, or sends a stream.
    var handler: (any HTTPHandler)?
    /// The request head, the body, the next request, or the peer's end must be there by then.
    var until = never

    init(id: ConnectionID, peer: PeerAddress, now: MonotonicInstant) {
        self.id = id
        self.peer = peer
        openedAt = now
    }
}

/// A request being received: bytes until the head is whole, then until the body is.
final class HTTPReceiving {
    var parser: HTTPRequestParser
    var buffer: [UInt8]
    var request: HTTPRequest?
    var headBytes = 0
    /// The connection's `until` is this request's.
    var isTimed = false

    init(limits: HTTPLimits, buffer: [UInt8] = []) {
        parser = HTTPRequestParser(limits: limits)
        self.buffer = buffer
    }
}

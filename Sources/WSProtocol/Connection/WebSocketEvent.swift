/// What `WebSocketConnection.next` found in the bytes it was lent.
public enum WebSocketEvent: ~Copyable {
    /// A whole message. A text message has been checked to be UTF-8.
    case message(MessageKind, WebSocketPayload)
    /// A control frame, which the connection has answered where the protocol asks for it. The payload of a Close frame is its reason.
    case control(WebSocketControl, WebSocketPayload)
    /// The bytes hold no further event: the driver sends what was written and takes this step.
    case exhausted(WebSocketStep)
}

/// What a control frame said.
public enum WebSocketControl: Equatable, Sendable {
    case ping
    case pong
    /// The code is `.noStatus` when the peer gave none.
    case close(WebSocketCloseCode)
}

/// Where the payload of an event is. It has one owner, so that the storage of an inflated message can be used again.
public enum WebSocketPayload: ~Copyable {
    /// The payload lies whole in the bytes lent to `next`, at these offsets, and was unmasked there.
    case lent(Range<Int>)
    /// The connection put the payload together from pieces, or inflated it.
    case owned([UInt8])

    /// Lends the payload. `bytes` are those that `next` was lent.
    @inlinable
    public func withBytes<Result, Failure>(
        in bytes: Span<UInt8>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch self {
        case .lent(let range): try body(bytes.extracting(range))
        case .owned(let own): try body(own.span)
        }
    }

    /// The reason in a Close frame's payload.
    consuming func droppingCloseCode() -> WebSocketPayload {
        switch consume self {
        case .lent(let range): .lent(min(range.lowerBound + 2, range.upperBound)..<range.upperBound)
        case .owned(let own): .owned(Array(own.dropFirst(2)))
        }
    }
}

/// What the driver of a connection does next.
public enum WebSocketStep: Equatable, Sendable {
    /// Go on reading.
    case read
    /// The closing handshake is under way: go on reading, and close the transport after a deadline.
    case awaitPeer
    /// Send what was written, then close the transport.
    case closeTransport
}

/// How a connection ended.
public enum WebSocketClosure: Equatable, Sendable {
    /// The peer sent its Close frame; the code is `.noStatus` when the peer gave none.
    case byPeer(WebSocketCloseCode)
    /// The peer broke the protocol.
    case violation(WebSocketViolation)
}

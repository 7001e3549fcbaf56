/// Which end of the connection this is.
public enum WebSocketRole: Sendable {
    case server
    /// `maskingKey` gives a fresh, unpredictable key for every frame (RFC 6455 §10.3).
    case client(maskingKey: @Sendable () -> UInt32)
}

/// permessage-deflate as agreed on, with the compressors of the loop the connection lives on.
public struct NegotiatedDeflate {
    public let agreement: DeflateAgreement
    public let pool: DeflatePool

    public init(_ agreement: DeflateAgreement, pool: DeflatePool) {
        self.agreement = agreement
        self.pool = pool
    }
}

/// What was received. The bytes beside it are the message, the control frame's payload, or the close reason.
public enum WebSocketEvent: Equatable, Sendable {
    case message(MessageKind)
    /// Has been answered.
    case ping
    case pong
    /// The peer's Close frame; `.noStatus` when it gave no code. Has been answered.
    case close(WebSocketCloseCode)
}

/// What the consumer wants after a delivery.
public enum Delivery: Equatable, Sendable {
    case proceed
    /// The consumer has given the connection up: nothing more is delivered, and nothing said.
    case stop
}

/// What the driver owes the connection next.
public enum WebSocketStep: Equatable, Sendable {
    /// Go on reading.
    case read
    /// The closing handshake is under way: go on reading, and close the transport after a deadline.
    case awaitPeer
    /// Send what was written and close the transport.
    case closeTransport
}

/// How a connection ended.
public enum WebSocketClosure: Equatable, Sendable {
    /// The peer's Close frame; `.noStatus` when it gave no code.
    case byPeer(WebSocketCloseCode)
    case violation(WebSocketViolation)
    /// The consumer stopped.
    case abandoned
    /// The transport ended without the peer's Close frame.
    case transportLost
}

package import HTTP
package import Reactor
package import WSProtocol

/// Bounds of one loop's connections. Each says what happens beyond it.
package struct ServingLimits: Sendable {
    package var connections = ConnectionLimits()
    /// Connections of one address on this loop; a further one is refused (4103, 429). 0: no bound.
    package var connectionsPerAddress = 0
    package var http = HTTPLimits()
    /// Bytes of a request's body. Exceeded: 413.
    package var bodyBytes = 64 * 1_024
    package var socket = WebSocketLimits(
        messageBytes: 64 * 1_024, compressionThresholdBytes: 512)
    /// A request head must be whole by then, or the connection is answered 408 and closed: slow heads cost a slot each.
    package var headTimeout: Duration = .seconds(10)
    /// An idle kept-alive HTTP connection is closed.
    package var keepAliveTimeout: Duration = .seconds(60)
    /// After a close frame or a last response the peer has this long to end the connection.
    var closeTimeout: Duration = .seconds(5)
    /// Silence after which the server pings. Below the 60 s at which NATs and proxies cut quiet connections.
    package var pingInterval: Duration = .seconds(25)
    /// Silence after the ping before the connection counts as lost (4201).
    package var pongTimeout: Duration = .seconds(15)
    /// zlib's level for outgoing frames.
    package var deflateLevel = 5

    package init() {
        // The head alone says how long a body is, and the server judges it by `bodyBytes`: a handler answers in its own form.
        http.bodyBytes = .max
        // Enough for the health checks of several probes, with clients among them that are refused.
        connections.reserve = 16
    }
}

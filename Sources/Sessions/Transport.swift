package import Messaging
package import Reactor

/// Where a transport keeps what it needs for one session. The transport alone knows what the number means.
package struct TransportAddress: Hashable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// How the frames of one session reach its client.
package struct Route: Equatable, Sendable {
    // Declared first so that a value after a route can share its padding.
    package var address: TransportAddress
    /// Index in `Outbound.transports`.
    package var transport: UInt8
    /// The transport's own number for a way to encode frames. Sessions of one transport with equal encodings share the encoded bytes.
    package var encoding: UInt8

    package init(transport: UInt8, encoding: UInt8, address: TransportAddress) {
        self.transport = transport
        self.encoding = encoding
        self.address = address
    }
}

/// Carries frames of sessions to their clients: a WebSocket, an event stream, or polls. One object for each event loop.
///
/// Contract:
/// - All calls come on the loop's thread, also from inside a fan-out: `stage`, `send` and `isCongested` must not call back into the sessions.
/// - What was sent in one turn to one address arrives in that order.
/// - A transport that cannot deliver keeps bytes up to its own bound, and is congested from its high watermark on; when it has room again it
///   calls `SessionLoop.drained`.
/// - When the client is gone, the transport calls `SessionLoop.close`, or moves the session to another transport with `SessionLoop.move`.
package protocol Transport: AnyObject {
    /// For operators.
    var name: String { get }
    /// One JSON object of the client protocol, or several with line ends between them.
    func send(_ json: Span<UInt8>, to address: TransportAddress)
    /// Encodes a frame for all sessions with this encoding. The result is valid in this turn only.
    func stage(_ frame: SharedFrame, encoding: UInt8) -> StagedFrame
    func send(_ frame: StagedFrame, to address: TransportAddress)
    /// The client does not keep up: nothing durable is pushed until `SessionLoop.drained`.
    func isCongested(_ address: TransportAddress) -> Bool
    /// What was sent and the client has not taken, as far as the hub holds it.
    func unsentBytes(_ address: TransportAddress) -> Int
    /// The client's commands are not read until `resumeReading`, where the transport has a way to hold them back.
    func pauseReading(_ address: TransportAddress)
    func resumeReading(_ address: TransportAddress)
    /// Tells the client why its session ends, and lets go of the client. The session is closed by the transport, now or later.
    /// - Parameter spread: the client comes back at a random moment within this time.
    func end(_ address: TransportAddress, _ reason: EndReason, spread: Duration)
}

/// A JSON object on its way to many sessions: encoded at most once for each transport and encoding.
package final class SharedFrame {
    package let json: [UInt8]
    private var encoded: [(key: UInt16, payload: Payload)] = []

    /// - Parameter bytes: about how long the text will be.
    package init(expecting bytes: Int = 128, _ write: (inout [UInt8]) -> Void) {
        var json: [UInt8] = []
        json.reserveCapacity(bytes)
        write(&json)
        self.json = json
    }

    /// - Parameter key: tells the encodings of all transports apart.
    package func payload(_ key: UInt16, encode: ([UInt8]) -> [UInt8]) -> Payload {
        if let known = encoded.first(where: { $0.key == key }) { return known.payload }
        let payload = Payload(encode(json))
        encoded.append((key, payload))
        return payload
    }
}

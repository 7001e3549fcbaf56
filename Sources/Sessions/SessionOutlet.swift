package import Messaging
package import Reactor

/// What carries a session's frames to its client: a WebSocket today, an event stream or a poll by the same calls.
package protocol SessionOutlet: AnyObject {
    /// One JSON object of the client protocol, or several with line ends between them.
    func send(_ json: Span<UInt8>, to key: SessionKey)
    /// Makes a JSON object ready to be sent to many sessions of one format in this turn.
    func stage(_ frame: SharedFrame, format: UInt8) -> StagedFrame
    func send(_ frame: StagedFrame, to key: SessionKey)
    /// Sends are piling up: push nothing durable until `SessionLoop.drained`.
    func isCongested(_ key: SessionKey) -> Bool
    func pauseReading(_ key: SessionKey)
    func resumeReading(_ key: SessionKey)
    func close(_ key: SessionKey, _ reason: EndReason)
    /// The session has a (new) token: its expiry decides how long the connection may live.
    func identityChanged(_ key: SessionKey)
}

/// A JSON object on its way to many sessions: encoded at most once for each format it is needed in.
package final class SharedFrame {
    package let json: [UInt8]
    private var encoded: [(format: UInt8, payload: Payload)] = []

    /// - Parameter bytes: how long it will be, about.
    package init(expecting bytes: Int = 128, _ write: (inout [UInt8]) -> Void) {
        var json: [UInt8] = []
        json.reserveCapacity(bytes)
        write(&json)
        self.json = json
    }

    package func payload(_ format: UInt8, encode: ([UInt8]) -> [UInt8]) -> Payload {
        if let known = encoded.first(where: { $0.format == format }) { return known.payload }
        let payload = Payload(encode(json))
        encoded.append((format, payload))
        return payload
    }
}

/// Stands in until `SessionLoop.attach`.
final class NoOutlet: SessionOutlet {
    func send(_ json: Span<UInt8>, to key: SessionKey) {}
    func stage(_ frame: SharedFrame, format: UInt8) -> StagedFrame { StagedFrame.none }
    func send(_ frame: StagedFrame, to key: SessionKey) {}
    func isCongested(_ key: SessionKey) -> Bool { true }
    func pauseReading(_ key: SessionKey) {}
    func resumeReading(_ key: SessionKey) {}
    func close(_ key: SessionKey, _ reason: EndReason) {}
    func identityChanged(_ key: SessionKey) {}
}

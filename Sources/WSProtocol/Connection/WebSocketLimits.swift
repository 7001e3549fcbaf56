/// What one connection may cost.
public struct WebSocketLimits: Equatable, Sendable {
    /// Bytes of one message, inflated and over all its fragments. 1 MiB. Exceeded: 1009, by the header's claim where there is one.
    public let messageBytes: Int
    /// Messages shorter than this are sent plain though compression was agreed on. 128: below it DEFLATE gains less than it costs.
    public var compressionThresholdBytes: Int

    public init(messageBytes: Int = 1024 * 1024, compressionThresholdBytes: Int = 128) {
        self.messageBytes = min(max(messageBytes, 0), Int.max / 2)
        self.compressionThresholdBytes = compressionThresholdBytes
    }

    /// DEFLATE can make an incompressible message longer: five bytes for a stored block, which is not worth refusing anyone.
    var compressedMessageBytes: Int { messageBytes + messageBytes / 256 + 64 }
}

/// Which end of the connection this is.
public enum WebSocketRole: Sendable {
    case server
    /// `maskingKey` gives a fresh, unpredictable key for every frame (RFC 6455 §10.3).
    case client(maskingKey: @Sendable () -> UInt32)
}

/// permessage-deflate as agreed on, with the compressors of the loop that the connection belongs to.
public struct NegotiatedDeflate {
    public let agreement: DeflateAgreement
    public let pool: DeflatePool

    public init(_ agreement: DeflateAgreement, pool: DeflatePool) {
        self.agreement = agreement
        self.pool = pool
    }
}

/// How much memory one connection may take.
public struct WebSocketLimits: Equatable, Sendable {
    /// The largest message in bytes, inflated, all fragments together. 1 MiB. A larger one fails the connection with 1009, already when
    /// a header announces it.
    public let messageBytes: Int
    /// Messages shorter than this are sent uncompressed. 128: below it DEFLATE saves less than it costs.
    public var compressionThresholdBytes: Int

    public init(messageBytes: Int = 1024 * 1024, compressionThresholdBytes: Int = 128) {
        self.messageBytes = min(max(messageBytes, 0), Int.max / 2)
        self.compressionThresholdBytes = compressionThresholdBytes
    }

    /// DEFLATE adds five bytes per stored block to an incompressible message; such a message of the largest size is accepted.
    var compressedMessageBytes: Int { messageBytes + messageBytes / 256 + 64 }
}

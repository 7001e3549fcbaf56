public import Zlib

/// The compressors of one event loop, lent for a message at a time to connections without context takeover.
///
/// Owns one inflater and, per window size in use, one deflater: their number does not grow with the connections. Used by one thread.
public final class DeflatePool {
    /// zlib's level for outgoing messages, 0…9. 6: its own default; 1 costs a third and gives a few per cent away on JSON.
    public let level: Int
    /// zlib's memory level, 1…9. 8: its own default, 256 KiB a compressor, of which a loop has very few.
    public let memoryLevel: Int

    private var inflater: Inflater?
    private var deflaters: [Int: Deflater] = [:]
    /// Lent for the inflated message; its storage is kept between messages up to `keptScratchBytes`.
    private var scratch: [UInt8] = []
    private static let keptScratchBytes = 64 * 1024

    public init(level: Int = 6, memoryLevel: Int = 8) {
        self.level = level
        self.memoryLevel = memoryLevel
    }

    /// A compressor that remembers nothing, also for `FrameEncoder.compressedText`. nil when there is no memory for it.
    public func deflater(windowBits: UInt8) -> Deflater? {
        let bits = Int(windowBits)
        if let deflater = deflaters[bits] {
            deflater.reset()
            return deflater
        }
        let deflater = makeDeflater(windowBits: windowBits)
        deflaters[bits] = deflater
        return deflater
    }

    /// A compressor of its own for a connection with context takeover.
    func makeDeflater(windowBits: UInt8) -> Deflater? {
        Deflater(windowBits: Int(windowBits), level: level, memoryLevel: memoryLevel)
    }

    /// Inflates one message from nothing, or with the memory of `own`. The result lives in storage that `giveBack` takes.
    func inflate(_ payload: Span<UInt8>, limit: Int, own: Inflater?) throws(WebSocketViolation) -> [UInt8] {
        var message: [UInt8] = []
        swap(&message, &scratch)
        // A sender should write one byte for an empty message (RFC 7692 §7.2.3.6); none can mean nothing else.
        guard payload.count > 0 else { return message }
        guard let inflater = own ?? shared() else {
            giveBack(message)
            throw .compressorUnavailable
        }
        do {
            try inflater.inflate(payload, into: &message, limit: limit)
        } catch {
            giveBack(message)
            throw Self.violation(error)
        }
        return message
    }

    private static func violation(_ failure: InflateFailure) -> WebSocketViolation {
        switch failure {
        case .corrupt: .corruptCompression
        case .tooLong: .messageTooBig
        case .outOfMemory: .compressorUnavailable
        }
    }

    private func shared() -> Inflater? {
        if inflater == nil { inflater = Inflater() }
        inflater?.reset()
        return inflater
    }

    func giveBack(_ message: consuming [UInt8]) {
        guard message.capacity <= Self.keptScratchBytes else { return }
        message.removeAll(keepingCapacity: true)
        scratch = message
    }

    /// Compresses one message from nothing, or with the memory of `own`; nil when there is no compressor.
    func deflate(_ payload: Span<UInt8>, windowBits: UInt8, own: Deflater?) -> [UInt8]? {
        guard let deflater = own ?? deflater(windowBits: windowBits) else { return nil }
        var compressed: [UInt8] = []
        MessageDeflation.compress(payload, using: deflater, into: &compressed)
        return compressed
    }
}

public import Zlib

/// The compressors of one event loop. Connections without context takeover borrow one for each message.
///
/// Owns one inflater and one deflater per window size in use, however many connections there are. Only one thread uses a pool.
public final class DeflatePool {
    /// zlib's level for outgoing messages, 0…9. 6: zlib's default. Level 1 takes a third of the time; its output for JSON is a few per cent
    /// longer.
    public let level: Int
    /// zlib's memory level, 1…9. 8: zlib's default, 256 KiB per compressor.
    public let memoryLevel: Int

    private var inflater: Inflater?
    private var deflaters: [Int: Deflater] = [:]
    /// Storage for the next inflated message, kept up to `keptScratchBytes`. Empty while a message is lent.
    private var scratch: [UInt8] = []
    private static let keptScratchBytes = 64 * 1024

    public init(level: Int = 6, memoryLevel: Int = 8) {
        self.level = level
        self.memoryLevel = memoryLevel
    }

    /// A compressor with an empty window, also for `FrameEncoder.compressedText`. nil when memory runs out.
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

    /// A new compressor, owned by a connection with context takeover.
    func makeDeflater(windowBits: UInt8) -> Deflater? {
        Deflater(windowBits: Int(windowBits), level: level, memoryLevel: memoryLevel)
    }

    /// Inflates one message with an empty window, or with the window of `own`. `giveBack` takes the storage of the result.
    func inflate(_ payload: Span<UInt8>, limit: Int, own: Inflater?) throws(WebSocketViolation) -> [UInt8] {
        var message: [UInt8] = []
        swap(&message, &scratch)
        // A sender should write one byte for an empty message (RFC 7692 §7.2.3.6). No byte at all is taken for an empty message too.
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
        guard message.capacity <= Self.keptScratchBytes, message.capacity > scratch.capacity else { return }
        message.removeAll(keepingCapacity: true)
        scratch = message
    }

    /// Compresses one message with an empty window, or with the window of `own`; nil when memory for a compressor runs out.
    func deflate(_ payload: Span<UInt8>, windowBits: UInt8, own: Deflater?) -> [UInt8]? {
        guard let deflater = own ?? deflater(windowBits: windowBits) else { return nil }
        var compressed: [UInt8] = []
        MessageDeflation.compress(payload, using: deflater, into: &compressed)
        return compressed
    }
}

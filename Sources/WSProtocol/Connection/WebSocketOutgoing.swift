import Zlib

/// The sending half of a connection.
///
/// Owns the compressor of a connection with context takeover, and nothing else that grows. Invariant: no byte is written after a Close
/// frame (RFC 6455 §5.5.1).
struct WebSocketOutgoing: ~Copyable {
    /// nil: a server, which does not mask.
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    private let pool: DeflatePool?
    private var ownDeflater: Deflater?
    private let thresholdBytes: Int
    private let windowBits: UInt8
    private let takesOver: Bool
    /// Whether a Close frame has been written.
    private(set) var isClosed = false

    init(_ role: WebSocketRole, _ limits: WebSocketLimits, _ deflate: NegotiatedDeflate?) {
        pool = deflate?.pool
        thresholdBytes = limits.compressionThresholdBytes
        let agreement = deflate?.agreement ?? DeflateAgreement()
        switch role {
        case .server:
            makeMaskingKey = nil
            windowBits = agreement.serverWindowBits
            takesOver = !agreement.serverNoContextTakeover
        case .client(let makeMaskingKey):
            self.makeMaskingKey = makeMaskingKey
            windowBits = agreement.clientWindowBits
            takesOver = !agreement.clientNoContextTakeover
        }
    }

    /// Writes a whole message in one frame, compressed when that was agreed on and makes the message shorter. Writes nothing after a
    /// Close frame.
    /// - Parameter compressing: false: as it is, also when compression was agreed on.
    mutating func send(_ kind: MessageKind, _ payload: Span<UInt8>, compressing: Bool = true, into output: inout [UInt8]) {
        guard !isClosed else { return }
        if compressing, payload.count >= thresholdBytes, let compressed = compress(payload) {
            FrameEncoder.append(kind.opcode, compressed.span, isCompressed: true, maskingKey: makeMaskingKey?(), into: &output)
        } else {
            FrameEncoder.append(kind.opcode, payload, maskingKey: makeMaskingKey?(), into: &output)
        }
    }

    /// nil when the message is sent uncompressed.
    private mutating func compress(_ payload: Span<UInt8>) -> [UInt8]? {
        // Only a client can agree to a window of 8 bits. zlib cannot compress for it, so that client sends uncompressed.
        guard let pool, Deflater.windowBitsRange.contains(Int(windowBits)) else { return nil }
        if takesOver && ownDeflater == nil { ownDeflater = pool.makeDeflater(windowBits: windowBits) }
        if takesOver && ownDeflater == nil { return nil }
        guard let compressed = pool.deflate(payload, windowBits: windowBits, own: ownDeflater) else { return nil }
        // With takeover the own window contains this message now, so the peer must inflate it too.
        return takesOver || compressed.count < payload.count ? compressed : nil
    }

    /// Writes a Close frame: the sender's part of the closing handshake. Only the first one is written.
    mutating func close(_ code: WebSocketCloseCode, reason: String = "", into output: inout [UInt8]) {
        guard control(.close, FrameEncoder.closePayload(code, reason: reason).span, into: &output) else { return }
        isClosed = true
    }

    /// Writes a control frame; a payload above 125 bytes is cut. After a Close frame it writes nothing and returns false.
    mutating func control(_ opcode: Opcode, _ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        guard !isClosed else { return false }
        FrameEncoder.append(opcode, payload.extracting(first: 125), maskingKey: makeMaskingKey?(), into: &output)
        return true
    }
}

import Zlib

/// The sending half of a connection: lent to the consumer while a message is delivered, so that an answer can be written at once.
///
/// Owns the compressor of a connection with context takeover, and nothing else that grows. Invariant: no byte is written after a Close
/// frame (RFC 6455 §5.5.1).
public struct WebSocketOutgoing: ~Copyable {
    /// The caller's bytes while one of the connection's methods runs; empty otherwise.
    var bytes: [UInt8] = []
    /// nil: a server, which does not mask.
    private let makeMaskingKey: (@Sendable () -> UInt32)?
    private let pool: DeflatePool?
    private var ownDeflater: Deflater?
    private let thresholdBytes: Int
    private let windowBits: UInt8
    private let takesOver: Bool
    /// A Close frame has been written.
    public private(set) var isClosed = false

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

    /// Writes a whole message in one frame, compressed when that was agreed on and pays. False after a Close frame. The caller
    /// answers for a text being UTF-8.
    @discardableResult
    public mutating func send(_ kind: MessageKind, _ payload: Span<UInt8>) -> Bool {
        guard !isClosed else { return false }
        if payload.count >= thresholdBytes, let compressed = compress(payload) {
            FrameEncoder.append(kind.opcode, compressed.span, isCompressed: true, maskingKey: makeMaskingKey?(), into: &bytes)
        } else {
            FrameEncoder.append(kind.opcode, payload, maskingKey: makeMaskingKey?(), into: &bytes)
        }
        return true
    }

    /// nil when the message goes out plain.
    private mutating func compress(_ payload: Span<UInt8>) -> [UInt8]? {
        // A window of 8 bits can be agreed to by a client only, and zlib cannot write for it: such a client sends plain.
        guard let pool, Deflater.windowBitsRange.contains(Int(windowBits)) else { return nil }
        if takesOver && ownDeflater == nil { ownDeflater = pool.makeDeflater(windowBits: windowBits) }
        if takesOver && ownDeflater == nil { return nil }
        guard let compressed = pool.deflate(payload, windowBits: windowBits, own: ownDeflater) else { return nil }
        // With takeover the window has moved on, and the peer's must too.
        return takesOver || compressed.count < payload.count ? compressed : nil
    }

    /// Writes a ping with at most 125 bytes of payload; more are cut off. False after a Close frame.
    @discardableResult
    public mutating func ping(_ payload: Span<UInt8>) -> Bool { control(.ping, payload) }

    /// Writes a Close frame: the sender's part of the closing handshake. Only the first one is written.
    public mutating func close(_ code: WebSocketCloseCode, reason: String = "") {
        guard control(.close, FrameEncoder.closePayload(code, reason: reason).span) else { return }
        isClosed = true
    }

    @discardableResult
    mutating func control(_ opcode: Opcode, _ payload: Span<UInt8>) -> Bool {
        guard !isClosed else { return false }
        FrameEncoder.append(opcode, payload.extracting(first: 125), maskingKey: makeMaskingKey?(), into: &bytes)
        return true
    }
}

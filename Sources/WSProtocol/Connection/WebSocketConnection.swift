import Bytes
import Zlib

/// One end of an established connection (RFC 6455 §5–7, RFC 7692): takes the peer's bytes, gives messages, and writes the answers that the
/// protocol asks for.
///
/// The driver lends the bytes of one read and calls `next` until it gives `.exhausted`. Between two calls the driver may send and close.
///
/// Owns the payload of an incomplete frame or message until it is complete: an idle connection owns no heap memory unless it agreed on
/// context takeover. Invariant: `message` and `control` hold unmasked payload of frames that `FrameRules` accepted, `partialHeader` the
/// bytes of an incomplete header; never are a frame and a header incomplete at once.
/// More than twelve stored properties: the parts of a frame and of a message that may be cut anywhere.
public struct WebSocketConnection: ~Copyable {
    private var outgoing: WebSocketOutgoing
    private let limits: WebSocketLimits
    private let pool: DeflatePool?
    private let isServer: Bool
    private let remembersInbound: Bool
    private var ownInflater: Inflater?

    private var partialHeader = InlineArray<14, UInt8>(repeating: 0)
    private var partialHeaderBytes: UInt8 = 0
    /// The frame whose payload has not arrived completely.
    private var frame: FrameInProgress?
    /// The message whose last frame has not arrived completely.
    private var inbound: MessageInProgress?
    /// Payload of a data message that did not arrive in one piece.
    private var message: [UInt8] = []
    /// Payload of a control frame that did not arrive in one piece.
    private var control: [UInt8] = []

    /// How the connection ended; nil while it has not.
    public private(set) var closure: WebSocketClosure?

    private struct FrameInProgress {
        let opcode: Opcode
        let isFinal: Bool
        var maskingKey: UInt32
        var remainingBytes: Int
    }

    private struct MessageInProgress {
        let kind: MessageKind
        let isCompressed: Bool
        var text = UTF8Validator()
    }

    /// Unmasked payload of one frame, in the bytes lent to `next`.
    private struct PayloadPart {
        let opcode: Opcode
        let range: Range<Int>
        let endsFrame: Bool
        let endsMessage: Bool
    }

    public init(role: WebSocketRole, limits: WebSocketLimits, deflate: NegotiatedDeflate?) {
        outgoing = WebSocketOutgoing(role, limits, deflate)
        self.limits = limits
        pool = deflate?.pool
        let agreement = deflate?.agreement ?? DeflateAgreement()
        switch role {
        case .server:
            isServer = true
            remembersInbound = !agreement.clientNoContextTakeover
        case .client:
            isServer = false
            remembersInbound = !agreement.serverNoContextTakeover
        }
    }

    // MARK: State

    /// What the driver does next, once `next` has given `.exhausted`.
    public var step: WebSocketStep {
        switch closure {
        case nil: outgoing.isClosed ? .awaitPeer : .read
        // RFC 6455 §7.1.1: the server closes the transport first.
        case .byPeer: isServer ? .closeTransport : .awaitPeer
        case .violation: .closeTransport
        }
    }

    /// Whether messages can still be sent.
    public var isOpen: Bool { closure == nil && !outgoing.isClosed }

    /// Whether no frame and no message is incomplete; the connection owns no buffers then.
    public var isBetweenMessages: Bool { frame == nil && inbound == nil && partialHeaderBytes == 0 }

    /// Open, and between messages.
    public var isAtRest: Bool { isOpen && isBetweenMessages }

    /// Storage held for the arrived part of an incomplete message: zero between messages.
    public var keptBytes: Int { message.capacity + control.capacity }

    // MARK: Sending

    /// Appends a whole message to `output`. Once the connection closes it writes nothing and returns false. The caller guarantees that a
    /// text is UTF-8.
    @discardableResult
    public mutating func send(
        _ kind: MessageKind, _ payload: Span<UInt8>, compressing: Bool = true, into output: inout [UInt8]
    ) -> Bool {
        guard isOpen else { return false }
        outgoing.send(kind, payload, compressing: compressing, into: &output)
        return true
    }

    /// Appends a ping to `output`, with at most 125 bytes of payload; more are cut off.
    @discardableResult
    public mutating func ping(_ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        guard isOpen else { return false }
        return outgoing.control(.ping, payload, into: &output)
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2): from now on the connection waits for the peer's Close frame and skips messages.
    @discardableResult
    public mutating func close(_ code: WebSocketCloseCode, reason: String = "", into output: inout [UInt8]) -> WebSocketStep {
        if isOpen { outgoing.close(code, reason: reason, into: &output) }
        return step
    }

    // MARK: Receiving

    /// Gives the next event of `bytes`, which begin and end anywhere in a frame. `position` is how far earlier calls have come in them, 0 at
    /// first. Payloads are unmasked in place; a message that lies in `bytes` whole is not copied. Answers are appended to `output`.
    public mutating func next(
        in bytes: inout MutableSpan<UInt8>, from position: inout Int, into output: inout [UInt8]
    ) -> WebSocketEvent {
        do throws(WebSocketViolation) {
            while closure == nil, position < bytes.count, let part = try nextPart(&bytes, &position) {
                let event = part.opcode.isControl ? try takeControl(part, bytes.span, &output) : try takeData(part, bytes.span)
                if let event { return event }
            }
        } catch {
            fail(error, into: &output)
        }
        return .exhausted(step)
    }

    /// Gives the storage of a payload back, to inflate a later message into. A payload that is not given back is freed.
    public mutating func reuse(_ payload: consuming WebSocketPayload) {
        switch consume payload {
        case .lent: return
        case .owned(let storage): pool?.giveBack(storage)
        }
    }

    /// RFC 6455 §7.1.7
    private mutating func fail(_ violation: WebSocketViolation, into output: inout [UInt8]) {
        outgoing.close(violation.closeCode, into: &output)
        end(.violation(violation))
    }

    private mutating func end(_ closure: WebSocketClosure) {
        self.closure = closure
        frame = nil
        inbound = nil
        message = []
        control = []
        ownInflater = nil
    }

    /// Reads a header, unless a frame is in progress, and unmasks the arrived payload of the frame. nil when the bytes are used up.
    private mutating func nextPart(
        _ bytes: inout MutableSpan<UInt8>, _ position: inout Int
    ) throws(WebSocketViolation) -> PayloadPart? {
        var current: FrameInProgress
        if let frame {
            current = frame
        } else {
            guard let header = nextHeader(bytes.span, &position) else { return nil }
            current = try begin(header)
        }
        let range = position..<(position + min(current.remainingBytes, bytes.count - position))
        position = range.upperBound
        current.remainingBytes -= range.count
        if isServer {
            var payload = bytes._mutatingExtracting(range)
            current.maskingKey = Masking.apply(current.maskingKey, to: &payload)
        }
        let endsFrame = current.remainingBytes == 0
        frame = endsFrame ? nil : current
        guard endsFrame || !range.isEmpty else { return nil }
        return PayloadPart(
            opcode: current.opcode, range: range, endsFrame: endsFrame, endsMessage: endsFrame && current.isFinal)
    }

    private mutating func nextHeader(_ bytes: Span<UInt8>, _ position: inout Int) -> FrameHeader? {
        if partialHeaderBytes == 0, let header = FrameHeader(bytes, at: position) {
            position += header.headerBytes
            return header
        }
        // A header is complete at 14 bytes at the latest, so the array is never outgrown.
        while position < bytes.count {
            partialHeader[Int(partialHeaderBytes)] = bytes[position]
            partialHeaderBytes += 1
            position += 1
            if let header = FrameHeader(partialHeader.span.extracting(0..<Int(partialHeaderBytes)), at: 0) {
                partialHeaderBytes = 0
                return header
            }
        }
        return nil
    }

    private mutating func begin(_ header: FrameHeader) throws(WebSocketViolation) -> FrameInProgress {
        // After the own Close frame messages are skipped and not kept, so their size does not matter (RFC 6455 §1.4).
        let isSkipping = outgoing.isClosed
        let rules = FrameRules(
            expectsMask: isServer, allowsCompression: pool != nil, isInsideMessage: inbound != nil,
            messageRoom: isSkipping ? .max : limits.messageBytes - message.count,
            compressedMessageRoom: isSkipping ? .max : limits.compressedMessageBytes - message.count,
            continuesCompressed: inbound?.isCompressed ?? false)
        let opcode = try rules.judge(header)
        switch opcode {
        case .text: inbound = MessageInProgress(kind: .text, isCompressed: header.reservedBits != 0)
        case .binary: inbound = MessageInProgress(kind: .binary, isCompressed: header.reservedBits != 0)
        case .continuation, .close, .ping, .pong: break
        }
        return FrameInProgress(
            opcode: opcode, isFinal: header.isFinal, maskingKey: header.maskingKey,
            remainingBytes: Int(clamping: header.payloadBytes))
    }

    // MARK: Messages

    /// nil when the message is not complete, or is skipped.
    private mutating func takeData(_ part: PayloadPart, _ bytes: Span<UInt8>) throws(WebSocketViolation) -> WebSocketEvent? {
        // Never nil: `begin` set it for a message's first frame, and the rules refuse a continuation without a message.
        guard var current = inbound else { return nil }
        if outgoing.isClosed {
            message = []
            if part.endsMessage { inbound = nil }
            return nil
        }
        let payload = bytes.extracting(part.range)
        if current.kind == .text && !current.isCompressed {
            guard current.text.consume(payload), !part.endsMessage || current.text.isComplete else { throw .textNotUTF8 }
        }
        guard part.endsMessage else {
            message.append(copying: payload)
            inbound = current
            return nil
        }
        inbound = nil
        if message.isEmpty {
            guard current.isCompressed else { return .message(current.kind, .lent(part.range)) }
            return .message(current.kind, .owned(try inflate(payload, current.kind)))
        }
        message.append(copying: payload)
        var whole: [UInt8] = []
        swap(&whole, &message)
        guard current.isCompressed else { return .message(current.kind, .owned(whole)) }
        return .message(current.kind, .owned(try inflate(whole.span, current.kind)))
    }

    private mutating func inflate(_ payload: Span<UInt8>, _ kind: MessageKind) throws(WebSocketViolation) -> [UInt8] {
        // The rules refuse a compressed message when there is no pool.
        guard let pool else { throw .compressorUnavailable }
        if remembersInbound && ownInflater == nil {
            ownInflater = Inflater()
            guard ownInflater != nil else { throw .compressorUnavailable }
        }
        let inflated = try pool.inflate(payload, limit: limits.messageBytes, own: ownInflater)
        if kind == .text {
            var text = UTF8Validator()
            guard text.consume(inflated.span), text.isComplete else { throw .textNotUTF8 }
        }
        return inflated
    }

    // MARK: Control frames

    /// nil when the frame is not complete.
    private mutating func takeControl(
        _ part: PayloadPart, _ bytes: Span<UInt8>, _ output: inout [UInt8]
    ) throws(WebSocketViolation) -> WebSocketEvent? {
        if part.endsFrame && control.isEmpty { return try answer(part.opcode, .lent(part.range), bytes, &output) }
        control.append(copying: bytes.extracting(part.range))
        guard part.endsFrame else { return nil }
        var whole: [UInt8] = []
        swap(&whole, &control)
        return try answer(part.opcode, .owned(whole), bytes, &output)
    }

    private mutating func answer(
        _ opcode: Opcode, _ payload: consuming WebSocketPayload, _ bytes: Span<UInt8>, _ output: inout [UInt8]
    ) throws(WebSocketViolation) -> WebSocketEvent? {
        switch opcode {
        case .ping:
            payload.withBytes(in: bytes) { _ = outgoing.control(.pong, $0, into: &output) }
            return .control(.ping, payload)
        case .pong:
            return .control(.pong, payload)
        case .close:
            let code = try payload.withBytes(in: bytes) { (payload) throws(WebSocketViolation) in try Self.closeCode(payload) }
            // RFC 6455 §5.5.1: answered with the code received.
            outgoing.close(code, into: &output)
            end(.byPeer(code))
            return .control(.close(code), payload.droppingCloseCode())
        case .continuation, .text, .binary:
            // `next` takes data frames to `takeData`.
            return nil
        }
    }

    /// RFC 6455 §5.5.1, §7.4. The rules refuse a payload of one byte.
    private static func closeCode(_ payload: Span<UInt8>) throws(WebSocketViolation) -> WebSocketCloseCode {
        guard payload.count >= 2 else { return .noStatus }
        let code = WebSocketCloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isAllowedOnTheWire else { throw .closeCodeNotAllowed }
        var reason = UTF8Validator()
        guard reason.consume(payload.extracting(droppingFirst: 2)), reason.isComplete else { throw .closeReasonNotUTF8 }
        return code
    }
}

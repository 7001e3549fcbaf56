import Bytes
import Zlib

/// One end of an established connection (RFC 6455 §5–7, RFC 7692): frames in, messages out, and what must be answered.
///
/// Owns what an incomplete frame or message has left so far, and gives it back when the message is complete: an idle connection owns
/// no heap memory unless it agreed on context takeover. Invariant: `message` and `control` hold unmasked payload that was judged,
/// `partialHeader` the bytes of a header that is not complete; a frame is in progress or a header is, never both.
public struct WebSocketConnection: ~Copyable {
    private var outgoing: WebSocketOutgoing
    private let limits: WebSocketLimits
    private let pool: DeflatePool?
    private let isServer: Bool
    private let remembersInbound: Bool
    private var ownInflater: Inflater?

    private var partialHeader = InlineArray<14, UInt8>(repeating: 0)
    private var partialHeaderBytes: UInt8 = 0
    private var frame: FrameInProgress?
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

    /// What the driver owes next.
    public var step: WebSocketStep {
        switch closure {
        case nil: outgoing.isClosed ? .awaitPeer : .read
        // RFC 6455 §7.1.1: the server closes the transport first.
        case .byPeer: isServer ? .closeTransport : .awaitPeer
        case .violation, .abandoned, .transportLost: .closeTransport
        }
    }

    /// Whether messages can still be sent.
    public var isOpen: Bool { closure == nil && !outgoing.isClosed }

    /// Whether it stands between messages, and so owns no buffers.
    public var isBetweenMessages: Bool { frame == nil && inbound == nil && partialHeaderBytes == 0 }

    /// Open, and between messages.
    public var isAtRest: Bool { isOpen && isBetweenMessages }

    /// Storage held for what has arrived of an incomplete message: zero between messages.
    public var keptBytes: Int { message.capacity + control.capacity }

    // MARK: Sending

    /// Appends a whole message to `output`. False, and nothing written, once the connection closes.
    @discardableResult
    public mutating func send(_ kind: MessageKind, _ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        guard isOpen else { return false }
        swap(&outgoing.bytes, &output)
        defer { swap(&outgoing.bytes, &output) }
        return outgoing.send(kind, payload)
    }

    /// Appends a ping to `output`, with at most 125 bytes of payload.
    @discardableResult
    public mutating func ping(_ payload: Span<UInt8>, into output: inout [UInt8]) -> Bool {
        guard isOpen else { return false }
        swap(&outgoing.bytes, &output)
        defer { swap(&outgoing.bytes, &output) }
        return outgoing.ping(payload)
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2): from now on only the peer's Close frame is waited for.
    @discardableResult
    public mutating func close(_ code: WebSocketCloseCode, reason: String = "", into output: inout [UInt8]) -> WebSocketStep {
        guard isOpen else { return step }
        swap(&outgoing.bytes, &output)
        defer { swap(&outgoing.bytes, &output) }
        outgoing.close(code, reason: reason)
        return step
    }

    // MARK: Receiving

    /// Takes what arrived, in pieces of any size. Payloads are unmasked in place. `deliver` is called for every complete message and
    /// control frame, in order; a message that lies in `bytes` whole is lent from there without a copy. Answers are appended to
    /// `output`.
    public mutating func receive(
        _ bytes: inout MutableSpan<UInt8>, into output: inout [UInt8],
        _ deliver: (inout WebSocketOutgoing, WebSocketEvent, Span<UInt8>) -> Delivery
    ) -> WebSocketStep {
        swap(&outgoing.bytes, &output)
        defer { swap(&outgoing.bytes, &output) }
        do throws(WebSocketViolation) {
            var position = 0
            while closure == nil {
                if frame == nil {
                    guard let header = nextHeader(bytes.span, &position) else { break }
                    try begin(header)
                }
                guard try takePayload(&bytes, &position, deliver) else { break }
            }
        } catch {
            fail(error)
        }
        return step
    }

    /// The transport ended. Without the peer's Close frame that is an abnormal closure (RFC 6455 §7.1.5).
    public mutating func transportEnded() {
        if closure == nil { end(.transportLost) }
    }

    /// RFC 6455 §7.1.7
    private mutating func fail(_ violation: WebSocketViolation) {
        outgoing.close(violation.closeCode)
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

    private mutating func begin(_ header: FrameHeader) throws(WebSocketViolation) {
        // After our own Close frame messages are skipped, not kept, so their size does not matter (RFC 6455 §1.4).
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
        frame = FrameInProgress(
            opcode: opcode, isFinal: header.isFinal, maskingKey: header.maskingKey,
            remainingBytes: Int(clamping: header.payloadBytes))
    }

    /// Takes what has arrived of the frame in progress. False when there is nothing more to do now.
    private mutating func takePayload(
        _ bytes: inout MutableSpan<UInt8>, _ position: inout Int,
        _ deliver: (inout WebSocketOutgoing, WebSocketEvent, Span<UInt8>) -> Delivery
    ) throws(WebSocketViolation) -> Bool {
        guard var current = frame else { return false }
        let part = position..<(position + min(current.remainingBytes, bytes.count - position))
        position = part.upperBound
        current.remainingBytes -= part.count
        if isServer {
            var payload = bytes._mutatingExtracting(part)
            current.maskingKey = Masking.apply(current.maskingKey, to: &payload)
        }
        let isComplete = current.remainingBytes == 0
        frame = isComplete ? nil : current
        let payload = bytes.span.extracting(part)
        if current.opcode.isControl {
            if isComplete && control.isEmpty {
                try take(current.opcode, payload, deliver)
            } else {
                control.append(copying: payload)
                guard isComplete else { return false }
                let whole = control
                control = []
                try take(current.opcode, whole.span, deliver)
            }
        } else {
            try take(payload, endsMessage: isComplete && current.isFinal, deliver)
        }
        return isComplete && closure == nil
    }

    // MARK: Messages

    private mutating func take(
        _ payload: Span<UInt8>, endsMessage: Bool,
        _ deliver: (inout WebSocketOutgoing, WebSocketEvent, Span<UInt8>) -> Delivery
    ) throws(WebSocketViolation) {
        guard var current = inbound else { return }
        if outgoing.isClosed {
            message = []
            if endsMessage { inbound = nil }
            return
        }
        if current.kind == .text && !current.isCompressed {
            guard current.text.consume(payload), !endsMessage || current.text.isComplete else { throw .textNotUTF8 }
        }
        if !endsMessage {
            message.append(copying: payload)
            inbound = current
            return
        }
        inbound = nil
        if message.isEmpty {
            try finish(current, payload, deliver)
        } else {
            message.append(copying: payload)
            let whole = message
            message = []
            try finish(current, whole.span, deliver)
        }
    }

    private mutating func finish(
        _ finished: MessageInProgress, _ payload: Span<UInt8>,
        _ deliver: (inout WebSocketOutgoing, WebSocketEvent, Span<UInt8>) -> Delivery
    ) throws(WebSocketViolation) {
        guard finished.isCompressed, let pool else {
            if deliver(&outgoing, .message(finished.kind), payload) == .stop { end(.abandoned) }
            return
        }
        if remembersInbound && ownInflater == nil {
            ownInflater = Inflater()
            guard ownInflater != nil else { throw .compressorUnavailable }
        }
        let inflated = try pool.inflate(payload, limit: limits.messageBytes, own: ownInflater)
        defer { pool.giveBack(inflated) }
        if finished.kind == .text {
            var text = UTF8Validator()
            guard text.consume(inflated.span), text.isComplete else { throw .textNotUTF8 }
        }
        if deliver(&outgoing, .message(finished.kind), inflated.span) == .stop { end(.abandoned) }
    }

    // MARK: Control frames

    private mutating func take(
        _ opcode: Opcode, _ payload: Span<UInt8>,
        _ deliver: (inout WebSocketOutgoing, WebSocketEvent, Span<UInt8>) -> Delivery
    ) throws(WebSocketViolation) {
        var delivery = Delivery.proceed
        switch opcode {
        case .ping:
            outgoing.control(.pong, payload)
            delivery = deliver(&outgoing, .ping, payload)
        case .pong:
            delivery = deliver(&outgoing, .pong, payload)
        case .close:
            let code = try closeCode(payload)
            // RFC 6455 §5.5.1: answered with the code received.
            outgoing.close(code)
            end(.byPeer(code))
            _ = deliver(&outgoing, .close(code), payload.extracting(droppingFirst: 2))
        case .continuation, .text, .binary:
            // Data frames take the other way.
            break
        }
        if delivery == .stop { end(.abandoned) }
    }

    /// RFC 6455 §5.5.1, §7.4. A payload of one byte was refused by its header.
    private func closeCode(_ payload: Span<UInt8>) throws(WebSocketViolation) -> WebSocketCloseCode {
        guard payload.count >= 2 else { return .noStatus }
        let code = WebSocketCloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.isAllowedOnTheWire else { throw .closeCodeNotAllowed }
        var reason = UTF8Validator()
        guard reason.consume(payload.extracting(droppingFirst: 2)), reason.isComplete else { throw .closeReasonNotUTF8 }
        return code
    }
}

import WSProtocol

/// What a server must keep to, whatever bytes a client sends. The first byte chooses compression and the place of a cut.
enum FrameFuzz {
    private static let limits = WebSocketLimits(messageBytes: 4096, compressionThresholdBytes: 8)

    static func run(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let bytes = Array(input.dropFirst())
        let agreement: DeflateAgreement? =
            switch choice & 3 {
            case 0, 1: nil
            case 2: DeflateAgreement()
            default: DeflateAgreement(serverNoContextTakeover: false, clientNoContextTakeover: false)
            }
        let whole = run([bytes], agreement)
        let cut = min(Int(choice >> 2), bytes.count)
        let parts = run([Array(bytes[..<cut]), Array(bytes[cut...])], agreement)
        precondition(whole == parts, "a cut changes what is received")
        precondition(run(bytes.map { [$0] }, agreement) == whole, "byte by byte something else is received")
    }

    private enum Event: Equatable {
        case message(MessageKind, [UInt8])
        case control(WebSocketControl, [UInt8])
    }

    private struct Trace: Equatable {
        var events: [Event] = []
        var output: [UInt8] = []
        var closure: WebSocketClosure?
    }

    private static func run(_ pieces: [[UInt8]], _ agreement: DeflateAgreement?) -> Trace {
        var trace = Trace()
        var connection = WebSocketConnection(
            role: .server, limits: limits, deflate: agreement.map { NegotiatedDeflate($0, pool: DeflatePool()) })
        for piece in pieces {
            var piece = piece
            var span = piece.mutableSpan
            var position = 0
            reading: while true {
                switch connection.next(in: &span, from: &position, into: &trace.output) {
                case .message(let kind, let payload):
                    let bytes = payload.withBytes(in: span.span, copy)
                    connection.reuse(payload)
                    precondition(bytes.count <= limits.messageBytes, "a message above the limit was delivered")
                    if kind == .text {
                        precondition(String(validating: bytes, as: UTF8.self) != nil, "text that is not UTF-8 was delivered")
                    }
                    trace.events.append(.message(kind, bytes))
                    connection.send(kind, bytes.span, into: &trace.output)
                case .control(let frame, let payload):
                    let bytes = payload.withBytes(in: span.span, copy)
                    precondition(bytes.count <= 125, "a control frame above its limit was delivered")
                    trace.events.append(.control(frame, bytes))
                case .exhausted(let step):
                    precondition((step == .read) == connection.isOpen, "the step contradicts the state")
                    break reading
                }
            }
        }
        trace.closure = connection.closure
        return trace
    }

    private static func copy(_ payload: Span<UInt8>) -> [UInt8] {
        [UInt8](capacity: payload.count) { out in for index in payload.indices { out.append(payload[index]) } }
    }
}

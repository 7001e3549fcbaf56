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

    private struct Trace: Equatable {
        var events: [WebSocketEvent] = []
        var payloads: [[UInt8]] = []
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
            let step = connection.receive(&span, into: &trace.output) { outgoing, event, payload in
                let bytes = [UInt8](capacity: payload.count) { out in for index in payload.indices { out.append(payload[index]) } }
                switch event {
                case .message(.text):
                    precondition(String(validating: bytes, as: UTF8.self) != nil, "text that is not UTF-8 was delivered")
                    precondition(bytes.count <= limits.messageBytes, "a message above the limit was delivered")
                case .message(.binary):
                    precondition(bytes.count <= limits.messageBytes, "a message above the limit was delivered")
                case .ping, .pong, .close:
                    precondition(bytes.count <= 125, "a control frame above its limit was delivered")
                }
                trace.events.append(event)
                trace.payloads.append(bytes)
                if case .message(let kind) = event { outgoing.send(kind, payload) }
                return .proceed
            }
            precondition((step == .read) == connection.isOpen, "the step contradicts the state")
        }
        trace.closure = connection.closure
        return trace
    }
}

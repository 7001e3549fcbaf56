import Testing
import WSProtocol

/// A connection under test and everything that came out of it.
final class Endpoint {
    enum Received: Equatable {
        case text(String)
        case binary([UInt8])
        case ping([UInt8])
        case pong([UInt8])
        case close(WebSocketCloseCode, String)
    }

    private var connection: WebSocketConnection
    private(set) var received: [Received] = []
    /// Whether a text message was not UTF-8.
    private(set) var receivedInvalidText = false
    private(set) var output: [UInt8] = []
    private(set) var step = WebSocketStep.read
    /// Called after every event, before the next one is asked for.
    var answer: (Endpoint, Received) -> Void = { _, _ in }

    init(
        _ role: WebSocketRole = .server, limits: WebSocketLimits = WebSocketLimits(), deflate: DeflateAgreement? = nil,
        pool: DeflatePool = DeflatePool()
    ) {
        connection = WebSocketConnection(role: role, limits: limits, deflate: deflate.map { NegotiatedDeflate($0, pool: pool) })
    }

    static func client(limits: WebSocketLimits = WebSocketLimits(), deflate: DeflateAgreement? = nil) -> Endpoint {
        Endpoint(.client(maskingKey: { 0xA1B2_C3D4 }), limits: limits, deflate: deflate)
    }

    var closure: WebSocketClosure? { connection.closure }
    var isBetweenMessages: Bool { connection.isBetweenMessages }
    var isOpen: Bool { connection.isOpen }
    var keptBytes: Int { connection.keptBytes }

    @discardableResult
    func feed(_ bytes: [UInt8]) -> WebSocketStep {
        var copy = bytes
        var span = copy.mutableSpan
        var position = 0
        while true {
            let event: Received
            switch connection.next(in: &span, from: &position, into: &output) {
            case .message(let kind, let payload):
                let bytes = payload.withBytes(in: span.span) { [UInt8]($0) }
                connection.reuse(payload)
                if kind == .text && String(validating: bytes, as: UTF8.self) == nil { receivedInvalidText = true }
                event = kind == .text ? .text(String(decoding: bytes, as: UTF8.self)) : .binary(bytes)
            case .control(let frame, let payload):
                let bytes = payload.withBytes(in: span.span) { [UInt8]($0) }
                switch frame {
                case .ping: event = .ping(bytes)
                case .pong: event = .pong(bytes)
                case .close(let code): event = .close(code, String(decoding: bytes, as: UTF8.self))
                }
            case .exhausted(let next):
                step = next
                return step
            }
            received.append(event)
            answer(self, event)
        }
    }

    func send(_ kind: MessageKind, _ payload: [UInt8]) -> Bool { connection.send(kind, payload.span, into: &output) }
    func send(_ text: String) -> Bool { send(.text, Array(text.utf8)) }
    func ping(_ payload: [UInt8]) -> Bool { connection.ping(payload.span, into: &output) }
    func close(_ code: WebSocketCloseCode, _ reason: String = "") { step = connection.close(code, reason: reason, into: &output) }

    func takeOutput() -> [UInt8] {
        defer { output = [] }
        return output
    }

    /// What is left of an endpoint when nothing more comes: for comparing two ways of feeding.
    var trace: Trace { Trace(received: received, output: output, closure: closure, step: step, isOpen: isOpen) }

    struct Trace: Equatable {
        var received: [Received]
        var output: [UInt8]
        var closure: WebSocketClosure?
        var step: WebSocketStep
        var isOpen: Bool
    }
}

/// Feeds `bytes` whole, byte by byte, and cut at every place, and returns the one trace that all of them left.
func everyWay(
    _ bytes: [UInt8], _ make: () -> Endpoint, sourceLocation: SourceLocation = #_sourceLocation
) -> Endpoint.Trace {
    let whole = make()
    whole.feed(bytes)
    let single = make()
    for byte in bytes { single.feed([byte]) }
    #expect(single.trace == whole.trace, "byte by byte", sourceLocation: sourceLocation)
    // Every cut of a short input; of a long one those near its ends and some between.
    let cuts = (0...bytes.count).filter { bytes.count < 600 || $0 < 20 || $0 > bytes.count - 6 || $0 % 8191 == 0 }
    for cut in cuts {
        let parts = make()
        parts.feed(Array(bytes[..<cut]))
        parts.feed(Array(bytes[cut...]))
        if parts.trace != whole.trace { #expect(parts.trace == whole.trace, "cut at \(cut)", sourceLocation: sourceLocation) }
    }
    return whole.trace
}

import HTTP
import WSProtocol

/// One connection of `hub tail`: the opening handshake, then text frames in both directions. The caller owns the socket and does the I/O.
struct TailConnection: ~Copyable {
    private var handshake: ClientHandshake
    private var received: [UInt8] = []
    private var socket: WebSocketConnection?
    private let maskingKey: @Sendable () -> UInt32

    static let subprotocol = "hub.v1.json"
    /// The limit of a message from the hub. The largest message is a page of history.
    private static let longestMessageBytes = 64 << 20

    enum Step: Equatable {
        case read
        /// Send the output, then close the socket. The value is the code of the received close frame; nil without one.
        case close(UInt16?)
        /// The server refused the handshake. The text is its reason in one line.
        case refused(String)
    }

    init(authority: String, target: String, nonce: (UInt64, UInt64), maskingKey: @escaping @Sendable () -> UInt32) {
        handshake = ClientHandshake(host: authority, target: target, nonce: nonce, subprotocols: [Self.subprotocol])
        self.maskingKey = maskingKey
    }

    /// The request of the opening handshake, which the caller sends first.
    var requestHead: [UInt8] { handshake.requestHead }

    /// Processes received bytes. `opened` returns the first line to send. `line` takes each line of the hub and returns the lines to send.
    mutating func receive(
        _ bytes: inout MutableSpan<UInt8>, into output: inout [UInt8], opened: () -> String, line: ([UInt8]) -> [String]
    ) -> Step {
        guard socket == nil else { return receiveFrames(&bytes, into: &output, line: line) }
        let arrived = bytes.span
        for index in arrived.indices { received.append(arrived[index]) }
        let whole = received
        switch handshake.read(whole.span) {
        case .incomplete: return .read
        case .failed(let failure): return .refused(Self.text(failure))
        case .accepted(_, _, let headBytes):
            var socket = WebSocketConnection(
                role: .client(maskingKey: maskingKey), limits: WebSocketLimits(messageBytes: Self.longestMessageBytes), deflate: nil)
            socket.send(.text, Array(opened().utf8).span, into: &output)
            self.socket = consume socket
            var rest = Array(whole[headBytes...])
            received = []
            var span = rest.mutableSpan
            return receiveFrames(&span, into: &output, line: line)
        }
    }

    /// Begins the closing handshake. The caller does not wait for the hub's close frame.
    mutating func leave(into output: inout [UInt8]) {
        _ = socket?.close(.normal, into: &output)
    }

    private mutating func receiveFrames(
        _ bytes: inout MutableSpan<UInt8>, into output: inout [UInt8], line: ([UInt8]) -> [String]
    ) -> Step {
        var closeCode: UInt16?
        var position = 0
        while true {
            switch socket?.next(in: &bytes, from: &position, into: &output) {
            case .message(_, let payload)?:
                let lines = payload.withBytes(in: bytes.span) { Self.lines(of: $0) }
                for text in lines {
                    for command in line(text) { socket?.send(.text, Array(command.utf8).span, into: &output) }
                }
            case .control(let frame, _)?:
                if case .close(let code) = frame { closeCode = code.rawValue }
            case .exhausted(let step)?: return step == .read ? .read : .close(closeCode)
            case nil: return .read
            }
        }
    }

    private static func lines(of message: Span<UInt8>) -> [[UInt8]] {
        var lines: [[UInt8]] = [[]]
        for index in message.indices {
            if message[index] == UInt8(ascii: "\n") { lines.append([]) } else { lines[lines.count - 1].append(message[index]) }
        }
        return lines.filter { !$0.isEmpty }
    }

    private static func text(_ failure: ClientHandshake.Failure) -> String {
        switch failure {
        case .refused(let head): "the server answered with HTTP status \(head.status)"
        case .malformedResponse: "the server's answer is not HTTP"
        case .notUpgraded: "the server did not change to WebSocket"
        case .wrongAccept: "the server's Sec-WebSocket-Accept does not match the request"
        case .wrongSubprotocol: "the server does not speak \(subprotocol)"
        case .wrongExtension: "the server uses an extension that this client did not offer"
        }
    }
}

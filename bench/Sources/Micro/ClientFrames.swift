import WSProtocol

/// Masked frames as a client sends them, and the server's end of the connection, which receives them.
struct ClientFrames {
    var bytes: [UInt8]
    let messages: Int

    /// The masking key is zero, so that unmasking does not change the bytes for the next round. The work is the same for every key.
    init(_ kind: MessageKind, _ payload: [UInt8], isCompressed: Bool = false, count: Int = 1) {
        bytes = []
        messages = count
        for _ in 0..<count {
            FrameEncoder.append(
                kind == .text ? .text : .binary, payload.span, isCompressed: isCompressed, maskingKey: 0, into: &bytes)
        }
    }

    /// Feeds the frames to `connection` and returns the number of complete messages.
    mutating func feed(
        _ connection: inout WebSocketConnection, into output: inout [UInt8], _ deliver: (Span<UInt8>) -> Void = { _ in }
    ) -> Int {
        var delivered = 0
        var position = 0
        var span = bytes.mutableSpan
        while true {
            switch connection.next(in: &span, from: &position, into: &output) {
            case .message(_, let payload):
                payload.withBytes(in: span.span, deliver)
                connection.reuse(payload)
                delivered += 1
            case .control: break
            case .exhausted(let step): return step == .read ? delivered : 0
            }
        }
    }

    /// A benchmark body that receives these frames repeatedly. One operation is one message.
    static func receiving(_ frames: ClientFrames, deflate: NegotiatedDeflate? = nil) -> Benchmark.Body {
        var frames = frames
        let receiver = Receiver(deflate)
        return { times in
            var done = 0
            while done < times {
                let delivered = frames.feed(&receiver.connection, into: &receiver.output)
                guard delivered == frames.messages else { return 0 }
                done += delivered
            }
            return done
        }
    }
}

/// Holds a noncopyable value, so that a closure can use it.
final class Receiver {
    var connection: WebSocketConnection
    var output: [UInt8] = []
    init(_ deflate: NegotiatedDeflate? = nil) {
        connection = WebSocketConnection(role: .server, limits: WebSocketLimits(), deflate: deflate)
    }
}

enum Texts {
    /// About 300 bytes on the wire: a typical notification.
    static let shortBody = "Your portfolio was reviewed. Open it to read what your reviewer wrote about the second chapter."

    /// Text of at least `bytes` bytes, cut at a character: mostly ASCII with umlauts, as a German-speaking university writes.
    static func german(_ bytes: Int) -> [UInt8] {
        repeated("Die Rückmeldung zur schriftlichen Prüfung liegt vor; bitte prüfe die Übung bis zum nächsten Mal. ", bytes)
    }
    static func greek(_ bytes: Int) -> [UInt8] { repeated("Η αξιολόγηση του φακέλου σου είναι έτοιμη. ", bytes) }
    static func ascii(_ bytes: Int) -> [UInt8] { repeated("The review of your portfolio is ready to be read. ", bytes) }

    private static func repeated(_ text: String, _ bytes: Int) -> [UInt8] {
        var output: [UInt8] = []
        while true {
            for character in text {
                let utf8 = Array(String(character).utf8)
                if output.count + utf8.count > bytes { return output }
                output += utf8
            }
        }
    }
}

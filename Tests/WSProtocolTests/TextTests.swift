import HangGuard
import Testing
import WSProtocol

@Suite("RFC 6455 §8.1: text is UTF-8", .guarded)
struct TextTests {
    static let valid = [
        "", "a", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u{0}", "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{FFFF}", "\u{10000}",
        "\u{10FFFF}",
        "\u{D7FF}", "\u{E000}", "\u{FFFE}", "\u{FEFF}", String(repeating: "x", count: 31) + "é", String(repeating: "日本語😀", count: 30),
    ]

    @Test(arguments: valid)
    func validTextIsAccepted(text: String) {
        #expect(everyWay(frame(1, text).masked()) { Endpoint() }.received == [.text(text)])
    }

    static let invalid = [
        "80", "bf", "c0 80", "c1 bf", "c2", "c2 41", "e0 80 80", "e0 9f bf", "e1 80", "ed a0 80", "ed bf bf", "ef bf", "f0 80 80 80",
        "f0 8f bf bf", "f0 90 80", "f4 90 80 80", "f5 80 80 80", "f8 88 80 80 80", "fc 84 80 80 80 80", "fe", "ff", "c3 c3",
        "ce ba e1 bd b9 cf 83 ce bc ce b5 f4 90 80 80 65 64 69 74 65 64",
    ]

    @Test(arguments: invalid, [0, 1, 31, 32, 40])
    func invalidUTF8IsRefused(bytes: String, before: Int) {
        expectViolation(.textNotUTF8, frame(1, [UInt8](repeating: 0x61, count: before) + hex(bytes)).masked())
    }

    @Test(arguments: invalid)
    func binaryMessagesMayHaveAnyBytes(bytes: String) {
        #expect(everyWay(frame(2, hex(bytes)).masked()) { Endpoint() }.received == [.binary(hex(bytes))])
    }

    @Test func fragmentsMaySplitCharacters() {
        let bytes = Array("aé日😀z".utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let frames =
                    frame(1, Array(bytes[..<first]), fin: false).masked() + frame(0, Array(bytes[first..<second]), fin: false).masked()
                    + frame(0, Array(bytes[second...])).masked()
                let endpoint = Endpoint()
                endpoint.feed(frames)
                #expect(endpoint.received == [.text("aé日😀z")])
            }
        }
    }

    @Test func theFirstImpossibleByteEndsAFragmentedMessage() {
        let endpoint = Endpoint()
        endpoint.feed(frame(1, hex("ce ba e1 bd b9 cf 83 ce bc ce b5"), fin: false).masked())
        #expect(endpoint.closure == nil)
        endpoint.feed(frame(0, hex("f4"), fin: false).masked())
        #expect(endpoint.closure == nil)
        endpoint.feed(frame(0, hex("90"), fin: false).masked())
        #expect(endpoint.closure == .violation(.textNotUTF8))
    }

    @Test func theFirstImpossibleByteEndsAFrameThatIsNotComplete() {
        let whole = frame(1, hex("ce ba f4 90 80 80 65 64")).masked()
        let endpoint = Endpoint()
        endpoint.feed(Array(whole[..<9]))
        #expect(endpoint.closure == nil)
        endpoint.feed([whole[9]])
        #expect(endpoint.closure == .violation(.textNotUTF8))
        #expect(endpoint.takeOutput() == closeFrame(1007))
    }

    @Test func everyScalarIsTakenAndEverySurrogateRefused() {
        // All in one message, so that the fast path meets every alignment.
        var bytes: [UInt8] = []
        for value in (0 as UInt32)...0x10FFFF {
            if let scalar = Unicode.Scalar(value), value % 7 == 0 || value < 0x1_1000 { bytes += Array(String(scalar).utf8) }
        }
        let endpoint = Endpoint(limits: WebSocketLimits(messageBytes: bytes.count))
        endpoint.feed(frame(1, bytes).masked())
        #expect(endpoint.closure == nil)
        #expect(endpoint.received.count == 1)

        for surrogate in UInt16(0xD800)...0xDFFF {
            let encoded = [0xED, 0x80 | UInt8(surrogate >> 6 & 0x3F), 0x80 | UInt8(surrogate & 0x3F)]
            let endpoint = Endpoint()
            endpoint.feed(frame(1, encoded).masked())
            #expect(endpoint.closure == .violation(.textNotUTF8))
        }
    }
}

import HangGuard
import Testing
import WSProtocol

@Suite("RFC 6455 §5.7: the examples", .guarded)
struct FrameExampleTests {
    @Test func anUnmaskedTextReachesAClient() {
        #expect(everyWay(hex("81 05 48 65 6c 6c 6f")) { .client() }.received == [.text("Hello")])
    }

    @Test func aMaskedTextReachesAServer() {
        #expect(everyWay(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")) { Endpoint() }.received == [.text("Hello")])
    }

    @Test func twoFragmentsAreOneMessage() {
        #expect(everyWay(hex("01 03 48 65 6c 80 02 6c 6f")) { .client() }.received == [.text("Hello")])
    }

    @Test func aPingIsAnsweredWithItsPayload() {
        let client = everyWay(hex("89 05 48 65 6c 6c 6f")) { .client() }
        #expect(client.received == [.ping(Array("Hello".utf8))])
        let server = everyWay(hex("89 85 37 fa 21 3d 7f 9f 4d 51 58")) { Endpoint() }
        #expect(server.output == hex("8a 05 48 65 6c 6c 6f"))
    }

    @Test func aMaskedPongIsTaken() {
        #expect(everyWay(hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58")) { Endpoint() }.received == [.pong(Array("Hello".utf8))])
    }

    @Test func lengthsOf256And65536TakeTheirForms() {
        let short = [UInt8](repeating: 7, count: 256)
        #expect(FrameEncoder.binary(short.span).prefix(4) == hex("82 7e 01 00")[...])
        let long = [UInt8](repeating: 7, count: 65_536)
        #expect(FrameEncoder.binary(long.span).prefix(10) == hex("82 7f 00 00 00 00 00 01 00 00")[...])
    }
}

import Bus
import HangGuard
import Messaging
import TestKit
import Testing

@Suite("Packets between hubs", .guarded)
struct BusPacketTests {
    private let packet = BusPacket(sender: .max - 7, epoch: 0xfedc_ba98, lane: 15, number: 300, message: [1, 4, 200])

    @Test("a packet is read as it was written")
    func roundTrip() {
        #expect(BusPacket(packet.bytes) == packet)
        let ping = BusPacket(sender: 0, epoch: 0, lane: 0, number: 1, message: [])
        #expect(ping.isPing && !packet.isPing)
        #expect(BusPacket(ping.bytes) == ping)
    }

    @Test("the form is fixed, because hubs of other versions read it")
    func form() {
        #expect(
            BusPacket(sender: 0x0807_0605_0403_0201, epoch: 129, lane: 3, number: 5, message: [9]).bytes
                == [0x68, 0x62, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0x01, 3, 5, 9])
    }

    @Test("what is no packet of this version is refused")
    func refused() {
        #expect(BusPacket([]) == nil)
        #expect(BusPacket(Array("hello, this is not a packet".utf8)) == nil)
        for count in 0..<15 { #expect(BusPacket(Array(packet.bytes.prefix(count))) == nil, "\(count)") }
        var other = packet.bytes
        other[2] = 2
        #expect(BusPacket(other) == nil)
        // A lane that is not there, and a number that none has.
        #expect(BusPacket(BusPacket(sender: 1, epoch: 1, lane: 16, number: 1, message: []).bytes) == nil)
        #expect(BusPacket(BusPacket(sender: 1, epoch: 1, lane: 0, number: 0, message: []).bytes) == nil)
    }

    @Test("channels are spread over all lanes, each always in the same")
    func lanes() throws {
        let lanes = try (0..<2_000).map { BusPacket.lane(of: .inbox(try user("user-\($0)"))) }
        #expect(Set(lanes) == Set(0..<BusPacket.lanes))
        #expect(BusPacket.lane(of: .broadcast("system")) == BusPacket.lane(of: .broadcast("system")))
    }
}

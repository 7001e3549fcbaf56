import HangGuard
import TestKit
import Testing

@testable import Messaging

@Suite("The positions of a session as text", .guarded)
struct PositionTextTests {
    private static let conversation = Channel(storedName: "conversation:7b0d4a1e-52c5-4f0e-9a55-0a3c6f1f2b11")!

    @Test("written positions are read again, for all channel names")
    func roundTrip() throws {
        let ann = try user("ann")
        let positions: [(channel: Channel, seq: Seq)] = [
            (.inbox(ann), Seq(42)), (.broadcast("system"), Seq(7)), (.broadcast("institution:Île;@%"), .zero), (Self.conversation, Seq(3)),
        ]
        let text = PositionText.write(positions)
        #expect(text.hasPrefix("1;i@42;bsystem@7;"))
        #expect(text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "it stands in a header field")
        let read = try #require(PositionText.read(text, for: ann))
        #expect(read.epoch == nil)
        #expect(read.channels.map(\.channel) == positions.map(\.channel) && read.channels.map(\.seq) == positions.map(\.seq))
        let names = try #require(PositionText.subscriptions(text)).map(\.channel)
        #expect(names == ["inbox", "broadcast:system", "broadcast:institution:Île;@%", Self.conversation.wireName])
    }

    @Test("the epoch is read again, and holds for every channel")
    func epoch() throws {
        let epoch = try #require(Epoch("07f3a91c"))
        let text = PositionText.write([(.inbox(try user("ann")), Seq(42)), (.broadcast("system"), Seq(7))], epoch: epoch)
        #expect(text == "1;e07f3a91c;i@42;bsystem@7")
        let subscriptions = try #require(PositionText.subscriptions(text))
        #expect(subscriptions.map(\.epoch) == [epoch, epoch])
    }

    @Test("256 conversations fit into a header field of 8 KiB")
    func length() {
        let positions = Array(repeating: (channel: Self.conversation, seq: Seq(99_999)), count: 256)
        #expect(PositionText.write(positions).utf8.count < 8_192)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "2;i@1", "i@1", "1;i", "1;i@", "1;i@-1", "1;i@x", "1;x@1", "1;ix@1", "1;b@1", "1;b%@1", "1;b%zz@1", "1;bother@1", "1;c@1",
            "1;cAAAA@1", "1;;i@1", "1;i@9007199254740992", "1;i@1;", "1;e", "1;e07f3a91", "1;e07F3A91C;i@1",
            "1;e07f3a91c;e07f3a91c;i@1",
        ])
    func refused(text: String) throws { #expect(PositionText.read(text, for: try user("ann")) == nil, "\(text)") }

    @Test("damaged texts never cause a trap")
    func damaged() throws {
        let ann = try user("ann")
        var random = SeededRandom(seed: 11)
        let whole = Array(
            PositionText.write(
                [(.inbox(ann), Seq(42)), (.broadcast("a:b"), Seq(1)), (Self.conversation, Seq(2))], epoch: Epoch(random: 7)
            ).utf8)
        for _ in 0..<5_000 {
            let bytes = Mutator.mutate(whole, with: [whole], using: &random)
            _ = PositionText.read(String(decoding: bytes, as: UTF8.self), for: ann)
        }
    }
}

import HangGuard
import Messaging
import Testing

@testable import Transports

@Suite("The state that polls without a session tell", .guarded)
struct StateDigestTests {
    private func digest(
        session: String = "s", delivered: Int = 1, version: Int = 1, unread: Int = 0, subscribed: Bool = true, pushes: [String] = []
    ) -> StateDigest {
        let reply = """
            {"re":0,"ok":{"session":"\(session)","user":"ann","time":"\(session)","tokenExpiresAt":"\(session)","tokenTtlMs":\(version),\
            "position":"1;i@\(delivered)","node":"\(session)","channels":[{"channel":"inbox","head":3,"delivered":\(delivered),\
            "unread":\(unread),"version":\(version),"subscribed":\(subscribed)}]}}

            """
        return StateDigest(reply: Array(reply.utf8), pushes: Array(pushes.joined(separator: "\n").utf8))
    }

    private static let live = #"{"type":"signal","signal":"live","channel":"inbox","seq":3}"#
    private static func receipt(_ read: Int) -> String {
        #"{"type":"receipt","channel":"inbox","user":"bob","delivered":3,"read":\#(read)}"#
    }

    @Test("another session of the same user has the same state, also after its own acks")
    func same() {
        #expect(digest() == digest(session: "t", delivered: 2, version: 9))
        #expect(digest() == digest(pushes: [Self.live]))
    }

    @Test("counters, subscriptions and receipts are state")
    func differs() {
        #expect(digest() != digest(unread: 1))
        #expect(digest() != digest(subscribed: false))
        #expect(digest(pushes: [Self.receipt(1)]) != digest(pushes: [Self.receipt(2)]))
        #expect(digest(pushes: [Self.receipt(1)]) != digest())
    }

    @Test("a client gives the number back in `after`, which is still a position")
    func text() {
        let one = digest()
        let after = "1;e07f3a91c;i@3;" + one.text
        #expect(StateDigest(after: after) == one)
        #expect(PositionText.subscriptions(after)?.map(\.channel) == ["inbox"])
        for other in ["1;i@3", "1;i@3;#7", "1;i@3;#s", "1;i@3;#sxyz", "", "1;#s1;i@3"] {
            #expect(StateDigest(after: other) == nil, "\(other)")
        }
    }

    @Test("a channel without its signal `live` is still read")
    func behind() {
        #expect(digest().isBehind)
        #expect(!digest(pushes: [Self.live]).isBehind)
        #expect(!digest(subscribed: false).isBehind)
    }

    @Test("pushes that are no state are told in any case")
    func pushes() {
        let signal = #"{"type":"signal","signal":"typing","channel":"inbox","user":"bob"}"#
        let one = digest(pushes: [Self.receipt(1), Self.live, signal])
        #expect(String(decoding: one.otherPushes, as: UTF8.self) == signal)
        #expect(one.pushes.split(separator: UInt8(ascii: "\n")).count == 3)
    }

    @Test("the channels of a poll are its own list, at the positions of `after` where it gives none")
    func followed() throws {
        func read(_ body: String) throws -> PollParameters { try PollParameters.read(Array(body.utf8)).get() }
        #expect(try read(#"{"after":"1;i@3;bsystem@2"}"#).followed.map(\.channel) == ["inbox", "broadcast:system"])
        let channels = #"[{"channel":"inbox"},{"channel":"broadcast:news"},{"channel":"broadcast:system","since":1}]"#
        let list = try read(#"{"after":"1;i@3;bsystem@2","channels":\#(channels)}"#)
        #expect(
            list.followed == [
                SubscriptionRequest(channel: "inbox", start: .since(Seq(3))), SubscriptionRequest(channel: "broadcast:news"),
                SubscriptionRequest(channel: "broadcast:system", start: .since(Seq(1))),
            ])
    }
}

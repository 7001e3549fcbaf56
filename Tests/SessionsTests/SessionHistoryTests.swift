import Bus
import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

/// The database went back: what the sessions of one loop do.
@Suite(.guarded) struct SessionHistoryTests {
    private let old = Epoch(random: 1)
    private let new = Epoch(random: 2)

    @Test("Sessions end before they get an entry of the new history, and say that they come back")
    func ended() throws {
        let bench = try SessionBench()
        bench.store.epoch = old
        let ann = try inbox("ann")
        let key = try bench.connect("ann", following: [ChannelState(channel: ann, head: Seq(5))])
        bench.store.epoch = new
        bench.hear(.entries([Entry(seq: Seq(6), createdAt: Timestamp(milliseconds: 0), draft: draft(ann, "new"))]))
        #expect(bench.clients.closed[key] == .restored)
        #expect(bench.clients.seqs(key) == [])
    }

    @Test("A connect that was under way is refused, and no session ends when the first epoch becomes known")
    func underWay() throws {
        let bench = try SessionBench()
        let early = try bench.connect("ann")
        bench.store.epoch = old
        bench.turn()
        #expect(bench.clients.closed[early] == nil)
        let key = bench.open()
        bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.map(\.epoch) == [old])
        bench.store.epoch = new
        bench.answer(orders[0], .snapshot([], more: false))
        #expect(bench.clients.closed[key] == .restored)
        #expect(!bench.clients.texts(key).contains { $0.contains(#""ok""#) })
    }

    @Test("A position of another epoch is not known, in connect and in subscribe; one without an epoch is taken")
    func positions() throws {
        let bench = try SessionBench()
        bench.store.epoch = new
        let state = ChannelState(channel: try inbox("ann"), head: Seq(9))
        func connect(_ members: String) throws -> String {
            let key = bench.open()
            bench.say(key, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))",\#(members)}"#)
            bench.turn()
            let order = try #require(bench.store.take().last, "before it stands a page for the session before")
            bench.answer(order, .snapshot([state], more: false))
            return bench.clients.texts(key).first ?? ""
        }
        let unknown = #""refused":[{"channel":"inbox","code":"position_unknown"}]"#
        #expect(try connect(#""epoch":"\#(old.text)","channels":[{"channel":"inbox","since":5}]"#).contains(unknown))
        #expect(try connect(#""channels":[{"channel":"inbox","since":5,"epoch":"\#(old.text)"}]"#).contains(unknown))
        #expect(try connect(#""channels":[{"channel":"inbox","since":5,"epoch":"?"}]"#).contains(unknown))
        for members in [
            #""epoch":"\#(new.text)","channels":[{"channel":"inbox","since":5}]"#, #""channels":[{"channel":"inbox","since":5}]"#,
        ] {
            let reply = try connect(members)
            #expect(reply.contains(#""subscribed":true,"epoch":"\#(new.text)""#) && !reply.contains("refused"))
        }
        _ = bench.store.take()
        let key = try bench.connect("ann")
        bench.say(key, #"{"id":2,"type":"subscribe","channel":"inbox","since":5,"epoch":"\#(old.text)"}"#)
        #expect(bench.clients.texts(key).contains { $0.contains(#""re":2,"error":{"code":"position_unknown""#) })
    }
}

import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Sessions for one request, and the sessions that make room for others", .guarded)
struct OneRequestSessionTests {
    private static let talk = Channel(wireName: "conversation:7b0d4a1e-52c5-4f0e-9a55-0a3c6f1f2b11", for: UserID("ann")!)!

    private func channels(_ bench: SessionBench, _ lines: String...) -> [SubscriptionRequest] {
        bench.sessions.channels(namedBy: Array(lines.joined(separator: "\n").utf8).span, epoch: Epoch("07f3a91c"))
    }

    @Test("the newest entry that the commands name is the position in its channel")
    func positions() throws {
        let bench = try SessionBench()
        let epoch = Epoch("07f3a91c")
        #expect(
            channels(
                bench, #"{"id":1,"type":"ack","channel":"inbox","seq":3}"#, #"{"type":"mark-read","channel":"inbox","seqs":[7,2]}"#,
                #"{"type":"mark-seen","channel":"broadcast:system","seq":2}"#, #"{"type":"mark-unread","channel":"inbox","seq":5}"#,
                #"{"type":"mark-read","channel":"broadcast:news","upTo":4}"#, #"{"type":"ping"}"#, "rubbish",
                #"{"type":"send","channel":"conversation:7b0d4a1e-52c5-4f0e-9a55-0a3c6f1f2b11","key":"k","body":"b"}"#)
                == [
                    SubscriptionRequest(channel: "broadcast:news", start: .since(Seq(4)), epoch: epoch),
                    SubscriptionRequest(channel: "broadcast:system", start: .since(Seq(2)), epoch: epoch),
                    SubscriptionRequest(channel: "inbox", start: .since(Seq(7)), epoch: epoch),
                ])
    }

    @Test("the head of a channel never stands for all that was sent")
    func all() throws {
        let bench = try SessionBench()
        let typing = #"{"type":"typing","channel":"\#(Self.talk.wireName)"}"#
        let all = #"{"type":"mark-read","channel":"\#(Self.talk.wireName)","all":true}"#
        #expect(channels(bench, typing) == [SubscriptionRequest(channel: Self.talk.wireName)])
        #expect(channels(bench, all) == [])
        #expect(channels(bench, typing, all) == [])
    }

    /// A session of ann for one request, which follows her inbox from `since`.
    private func connect(_ bench: SessionBench, since: Int, head: UInt64, isUnheard: Bool = false) throws -> SessionID {
        let id = bench.open(isResumable: true)
        bench.sessions.limitToOneRequest(id, isUnheard: isUnheard)
        let token = try bench.token("ann")
        bench.say(id, #"{"id":0,"type":"connect","token":"\#(token)","channels":[{"channel":"inbox","since":\#(since)}]}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        guard case .snapshot(_, let broadcasts, _, let most) = order.request else { return id }
        #expect(isUnheard == (most == 0) && isUnheard == broadcasts.isEmpty, "what nobody reads is not asked for")
        bench.answer(order, .snapshot([ChannelState(channel: .inbox(UserID("ann")!), head: Seq(head))], more: false))
        return id
    }

    @Test("it has no credential, and refuses what is about a session that goes on")
    func refusals() throws {
        let bench = try SessionBench()
        let id = try connect(bench, since: 2, head: 2)
        #expect(bench.clients.texts(id).first?.contains("credential") == false)
        bench.clients.forget()
        let token = try bench.token("ann")
        bench.say(
            id, #"{"id":1,"type":"subscribe","channel":"broadcast:system"}"#, #"{"id":2,"type":"subscribe","channel":"inbox"}"#,
            #"{"id":3,"type":"unsubscribe","channel":"inbox"}"#, #"{"id":4,"type":"refresh","token":"\#(token)"}"#,
            #"{"id":5,"type":"mark-read","channel":"broadcast:system","all":true}"#)
        let texts = bench.clients.texts(id)
        #expect(texts.count == 5)
        for text in texts { #expect(text.contains(#""code":"session_elsewhere""#), "\(text)") }
        #expect(bench.store.take().isEmpty)
    }

    @Test("it carries out commands about entries that there are, and no others")
    func commands() throws {
        let bench = try SessionBench()
        let id = try connect(bench, since: 2, head: 2)
        bench.clients.forget()
        bench.say(
            id, #"{"id":1,"type":"ack","channel":"inbox","seq":2}"#, #"{"id":2,"type":"ack","channel":"inbox","seq":3}"#,
            #"{"id":3,"type":"ping"}"#)
        bench.turn()
        let orders = bench.store.take()
        #expect(orders.count == 1)
        guard case .move(_, _, .delivered(Seq(2)), _)? = orders.first?.request else {
            Issue.record("\(orders)")
            return
        }
        #expect(bench.clients.texts(id).filter { $0.contains("not_sent") }.count == 1)
        #expect(bench.clients.texts(id).filter { $0.contains(#"{"re":3,"ok""#) }.count == 1)
    }

    @Test("a position beyond the head follows nothing")
    func beyondTheHead() throws {
        let bench = try SessionBench()
        let id = try connect(bench, since: 3, head: 2, isUnheard: true)
        bench.clients.forget()
        bench.say(id, #"{"id":1,"type":"ack","channel":"inbox","seq":3}"#)
        bench.turn()
        #expect(bench.store.take().isEmpty)
        #expect(bench.clients.texts(id).first?.contains("session_elsewhere") == true)
    }

    @Test("the session that was left longest makes room for the next; one in use does not")
    func makesRoom() throws {
        let bench = try SessionBench { $0.sessionsPerUser = 2 }
        func connect(isResumable: Bool) throws -> SessionID {
            let id = bench.open(isResumable: isResumable)
            bench.say(id, #"{"id":1,"type":"connect","token":"\#(try bench.token("ann"))"}"#)
            bench.turn()
            if let order = bench.store.take().first(where: { if case .snapshot = $0.request { true } else { false } }) {
                bench.answer(order, .snapshot([], more: false))
            }
            return id
        }
        let (left, used) = (try connect(isResumable: true), try connect(isResumable: true))
        bench.sessions.attach(used)
        let socket = try connect(isResumable: false)
        #expect(!bench.sessions.isConnected(left) && bench.sessions.isConnected(used) && bench.sessions.isConnected(socket))
        let refused = try connect(isResumable: true)
        #expect(bench.clients.closed == [refused: .connectionLimit])
        #expect(bench.sessions.isConnected(used) && bench.sessions.isConnected(socket))
    }
}

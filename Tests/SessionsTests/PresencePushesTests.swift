import Bus
import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Who is there: what a loop tells the bus and its sessions", .guarded)
struct PresencePushesTests {
    private static let talk = Channel(storedName: "conversation:0d3e2c1b-6a57-4b32-8f6d-2f1f0a9b8c7d")!

    private func bench() throws -> SessionBench { try SessionBench { $0.session.sharesPresence = true } }

    /// The conversation of ann and bob, as one of them gets it.
    private func talk(apart: Bool = false, hidden: Bool = false) throws -> ChannelState {
        var state = ChannelState(channel: Self.talk, members: [try user("ann"), try user("bob")])
        state.blocksMember = apart
        if hidden { state.hiddenFrom = [try user("bob")] }
        return state
    }

    private func share(_ bench: SessionBench, _ id: SessionID, _ state: String = "online") {
        bench.say(id, #"{"id":9,"type":"presence","state":"\#(state)"}"#)
    }

    private func beat(_ bench: SessionBench) { bench.sessions.presence.beatOnce() }

    private func heard(_ bench: SessionBench) -> [BusEvent] {
        defer { bench.bus.forget() }
        return bench.bus.events
    }

    /// What the bus was told since the last time, without digests.
    private func told(_ bench: SessionBench) -> [PresenceNews] {
        heard(bench).compactMap { if case .signal(.presence(let news)) = $0, news.range == nil { news } else { nil } }
    }

    private func hear(_ bench: SessionBench, _ name: String, _ presence: Presence, version: UInt64 = 1) throws {
        bench.hear(.signal(.presence(PresenceNews(source: 77, version: version, lines: [.init(try user(name), presence)]))))
    }

    private let online = #"{"type":"signal","signal":"presence","user":"bob","state":"online"}"#
    private let offline = #"{"type":"signal","signal":"presence","user":"bob","state":"offline"}"#

    @Test("where it is switched off, the command is not supported")
    func off() throws {
        let bench = try SessionBench()
        let ann = try bench.connect("ann")
        share(bench, ann)
        #expect(bench.clients.texts(ann).last?.contains(#""code":"unsupported""#) == true)
    }

    @Test("a user is told of once, when the state changes")
    func publishing() throws {
        let bench = try bench()
        let (first, second) = (try bench.connect("ann"), try bench.connect("ann"))
        beat(bench)
        #expect(told(bench).isEmpty, "nobody has shared anything yet")
        share(bench, first)
        share(bench, second, "away")
        beat(bench)
        let ann = try user("ann")
        #expect(told(bench).map(\.lines) == [[.init(ann, .online)]], "one of the sessions is online")
        share(bench, second)
        beat(bench)
        #expect(told(bench).isEmpty)
        share(bench, first, "away")
        share(bench, second, "away")
        beat(bench)
        #expect(told(bench).map(\.lines) == [[.init(ann, .away)]])
        share(bench, first, "off")
        beat(bench)
        #expect(told(bench).isEmpty, "the other session shares")
        share(bench, second, "off")
        beat(bench)
        #expect(told(bench).map(\.lines) == [[.init(ann, .hidden)]])
    }

    @Test("a session that ends is gone only when it does not come back soon")
    func grace() throws {
        let bench = try bench()
        let ann = try bench.connect("ann")
        share(bench, ann)
        beat(bench)
        _ = told(bench)
        bench.sessions.close(ann)
        beat(bench)
        #expect(told(bench).isEmpty)
    }

    @Test("a hub that is stopped says goodbye for all its users, once and as the last thing", arguments: [true, false])
    func goodbye(_ isFinal: Bool) throws {
        let bench = try bench()
        for name in ["ann", "bob"] { share(bench, try bench.connect(name)) }
        beat(bench)
        _ = heard(bench)
        bench.sessions.drain(over: .zero, spread: .seconds(1), isFinal: isFinal)
        let goodbyes = heard(bench).compactMap { if case .signal(.presence(let news)) = $0 { news } else { nil } }
        #expect(goodbyes.map(\.range) == (isFinal ? [.init(lower: nil, upper: nil)] : []), "a hub that is only drained goes on")
        #expect(goodbyes.flatMap(\.lines) == [])
        for _ in 0..<20 { beat(bench) }
        bench.sessions.drain(over: .zero, spread: .seconds(1), isFinal: isFinal)
        #expect(heard(bench).isEmpty == isFinal)
    }

    @Test("the digest has all users once in a round, in parts that fit")
    func digest() throws {
        let bench = try bench()
        let names = (0..<120).map { "user-\($0)-" + String(repeating: "x", count: 60) }
        for name in names { share(bench, try bench.connect(name)) }
        beat(bench)
        _ = heard(bench)
        var news: [PresenceNews] = []
        for _ in 0..<20 {
            beat(bench)
            news += heard(bench).compactMap { if case .signal(.presence(let news)) = $0, news.range != nil { news } else { nil } }
        }
        let begin = try #require(news.firstIndex { $0.range?.lower == nil })
        let end = try #require(news[begin...].firstIndex { $0.range?.upper == nil })
        let whole = news[begin...end]
        #expect(whole.flatMap { $0.lines.map(\.user) } == (try names.map { try user($0) }).sorted())
        #expect(whole.count > 2)
        for (part, next) in zip(whole, whole.dropFirst()) { #expect(part.range?.upper == next.range?.lower) }
        #expect(whole.allSatisfy { BusCodec.encode([.signal(.presence($0))]).messages.allSatisfy { $0.count < 3_000 } })
        // A listener that hears only the digest knows everybody.
        var book = PresenceBook()
        for part in whole { _ = book.hear(part, now: 0) }
        #expect(book.count == names.count)
    }

    @Test("who comes during a round is in the rest of its digest")
    func fresh() throws {
        let bench = try bench()
        for name in (0..<200).map({ "b\($0)" }) { share(bench, try bench.connect(name)) }
        beat(bench)
        for _ in 0..<9 { beat(bench) }
        _ = heard(bench)
        beat(bench)
        share(bench, try bench.connect("zoe"))
        var book = PresenceBook()
        for _ in 0..<9 {
            beat(bench)
            for case .signal(.presence(let news)) in heard(bench) { _ = book.hear(news, now: 0) }
        }
        #expect(try book.shown(user("zoe")) == .online)
    }

    @Test("members who share are told, others are not")
    func pushing() throws {
        let bench = try bench()
        let (ann, mute) = (try bench.connect("ann", following: [talk()]), try bench.connect("ann", following: [talk()]))
        let eve = try bench.connect("eve")
        for id in [ann, eve] { share(bench, id) }
        beat(bench)
        bench.clients.forget()
        try hear(bench, "bob", .online)
        try hear(bench, "cyd", .online)
        #expect(bench.clients.texts(ann).isEmpty, "told once a second")
        beat(bench)
        #expect(bench.clients.texts(ann) == [online])
        #expect(bench.clients.texts(mute).isEmpty && bench.clients.texts(eve).isEmpty)
        beat(bench)
        #expect(bench.clients.texts(ann).count == 1)
        try hear(bench, "bob", .away, version: 2)
        try hear(bench, "bob", .online, version: 3)
        beat(bench)
        #expect(bench.clients.texts(ann) == [online], "what is over within a second is not told")
        try hear(bench, "bob", .away, version: 4)
        beat(bench)
        #expect(bench.clients.texts(ann).count == 2)
    }

    @Test("the reply tells who is there now")
    func asking() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk()])
        try hear(bench, "bob", .online)
        try hear(bench, "cyd", .online)
        share(bench, ann)
        #expect(bench.clients.texts(ann).last == #"{"re":9,"ok":{"users":[{"user":"bob","state":"online"}]}}"#)
        share(bench, ann, "off")
        #expect(bench.clients.texts(ann).last == #"{"re":9,"ok":{"users":[]}}"#)
    }

    @Test("nobody is seen across a block, whoever has blocked the other", arguments: [(true, false), (false, true)])
    func blocks(_ apart: Bool, _ hidden: Bool) throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk(apart: apart, hidden: hidden)])
        share(bench, ann)
        beat(bench)
        bench.clients.forget()
        try hear(bench, "bob", .online)
        beat(bench)
        #expect(bench.clients.texts(ann).allSatisfy { $0 == offline })
        share(bench, ann)
        #expect(bench.clients.texts(ann).last == #"{"re":9,"ok":{"users":[]}}"#)
    }

    @Test("a block that comes later hides at once, and the store is asked")
    func laterBlock() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk()])
        share(bench, ann)
        try hear(bench, "bob", .online)
        beat(bench)
        bench.clients.forget()
        bench.hear(.hidingChanged(Self.talk, of: try user("bob")))
        beat(bench)
        #expect(bench.clients.texts(ann) == [offline])
        bench.turn()
        let asked = bench.store.take()
        #expect(asked.count == 1)
        bench.answer(try #require(asked.first), .state(try talk()))
        beat(bench)
        #expect(bench.clients.texts(ann) == [offline, online], "the block was taken back")
    }

    @Test("who has left the conversation is not told of any more")
    func leaving() throws {
        let bench = try bench()
        let ann = try bench.connect("ann", following: [talk()])
        share(bench, ann)
        beat(bench)
        bench.clients.forget()
        bench.hear(.withdrawn(Self.talk, from: try user("bob")))
        try hear(bench, "bob", .online)
        beat(bench)
        #expect(bench.clients.texts(ann).isEmpty)
    }
}

import Bus
import HangGuard
import Linux
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("Sessions that outlive their connections, and the deadlines of all sessions", .guarded)
struct ResumableSessionTests {
    private func connect(
        _ bench: SessionBench, isResumable: Bool = true, isBrowser: Bool = false, following channel: Channel = SessionLoopTests.system
    )
        throws -> SessionID
    {
        let id = bench.open(isBrowser: isBrowser, isResumable: isResumable)
        let token = try bench.token("ann")
        bench.say(id, #"{"id":1,"type":"connect","token":"\#(token)","channels":[{"channel":"\#(channel.wireName)","since":0}]}"#)
        bench.turn()
        let order = try #require(bench.store.take().first)
        bench.answer(order, .snapshot([ChannelState(channel: channel)], more: false))
        return id
    }

    /// Turns the loop until it is so; a timer of the loop is due within a tenth of a second.
    private func turn(_ bench: SessionBench, until condition: () -> Bool) {
        while !condition() { bench.turn() }
    }

    @Test("a credential of 30 characters names one session of one loop; a changed credential names none")
    func credentials() throws {
        let bench = try SessionBench()
        let id = try connect(bench)
        let credential = try #require(bench.sessions.credential(of: id))
        #expect(credential.text.utf8.count == 30)
        #expect(SessionCredential(credential.text) == credential)
        #expect(bench.sessions.session(credential) == id)
        #expect(bench.clients.texts(id).first?.contains(#""credential":"\#(credential.text)""#) == true)
        for index in credential.text.indices {
            var text = credential.text
            text.replaceSubrange(index...index, with: [text[index] == "B" ? "C" : "B"])
            #expect(SessionCredential(text).flatMap { bench.sessions.session($0) } == nil, "\(text)")
        }
        bench.sessions.close(id)
        #expect(bench.sessions.session(credential) == nil)
    }

    @Test("a session of one connection has no credential")
    func noCredential() throws {
        let bench = try SessionBench()
        let id = try connect(bench, isResumable: false)
        #expect(bench.sessions.credential(of: id) == nil)
        #expect(bench.clients.texts(id).first?.contains("credential") == false)
    }

    @Test("a session without a stream or a poll ends, and its transports are told")
    func detachedEnds() throws {
        let bench = try SessionBench { $0.detached = .milliseconds(50) }
        var ended: [SessionID] = []
        bench.sessions.resumableEnded = { ended.append($0) }
        let id = try connect(bench)
        turn(bench) { bench.sessions.count == 0 }
        #expect(ended == [id])
        #expect(bench.clients.closed.isEmpty, "nobody is there to be told")
    }

    @Test("an attached session does not end")
    func attachedLives() throws {
        let bench = try SessionBench { $0.detached = .milliseconds(50) }
        let (kept, left) = (try connect(bench), try connect(bench))
        bench.sessions.attach(kept)
        turn(bench) { bench.sessions.count == 1 }
        #expect(bench.sessions.isConnected(kept) && !bench.sessions.isConnected(left))
    }

    @Test("a session without connect ends at its deadline, a browser's session also when its user is idle")
    func deadlines() throws {
        let bench = try SessionBench {
            $0.connectWithin = .milliseconds(50)
            $0.idle = .milliseconds(150)
        }
        let (silent, browser, program) = (
            bench.open(), try connect(bench, isResumable: false, isBrowser: true), try connect(bench, isResumable: false)
        )
        turn(bench) { bench.clients.closed.count == 2 }
        #expect(bench.clients.closed == [silent: .connectTimeout, browser: .idle])
        #expect(bench.sessions.isConnected(program))
    }

    @Test("entries that may not have arrived are sent again, and earlier sends may still be acknowledged")
    func resumes() throws {
        let bench = try SessionBench()
        let id = try connect(bench)
        bench.sessions.attach(id)
        for seq in 1...3 as ClosedRange<UInt64> { bench.hear(.entries([try SessionLoopTests().entry(seq, in: SessionLoopTests.system)])) }
        #expect(bench.clients.seqs(id) == [1, 2, 3])
        #expect(bench.sessions.positions(of: id) == "1;bsystem@3")
        bench.sessions.detach(id)
        #expect(bench.sessions.resume(id, behind: "1;bsystem@1"))
        #expect(!bench.sessions.resume(id, behind: "nonsense"))
        bench.turn()
        let orders = bench.store.take()
        let page = try #require(orders.first { if case .page = $0.request { true } else { false } })
        guard case .page(_, let after, _, _) = page.request else { return }
        #expect(after == Seq(1))
        bench.clients.forget()
        bench.say(id, #"{"id":2,"type":"ack","channel":"broadcast:system","seq":3}"#)
        bench.turn()
        #expect(bench.store.take().contains { if case .move = $0.request { true } else { false } }, "3 was sent before")
        bench.answer(page, try SessionLoopTests().page(2...3, of: SessionLoopTests.system, head: 3))
        #expect(bench.clients.seqs(id) == [2, 3])
    }

    @Test("a channel that was lost while nothing carried the session is told on resuming")
    func lostChannelIsToldAgain() throws {
        let bench = try SessionBench()
        let id = try connect(bench, following: SessionLoopTests.secret)
        let position = bench.sessions.positions(of: id)
        bench.hear(.withdrawn(SessionLoopTests.secret, from: try user("ann")))
        bench.turn()
        let signal = #"{"type":"signal","signal":"unsubscribed","channel":"\#(SessionLoopTests.secret.wireName)"}"#
        #expect(bench.clients.texts(id).count { $0.contains(signal) } == 1)
        #expect(bench.sessions.resume(id, behind: position))
        bench.turn()
        #expect(bench.clients.texts(id).count { $0.contains(signal) } == 2)
    }

    @Test("resuming asks for a page that was put off because the client did not read")
    func putOffPage() throws {
        let bench = try SessionBench()
        let id = try connect(bench)
        let position = bench.sessions.positions(of: id)
        bench.clients.congested = [id]
        // A gap: entry 1 must be read from the store, which waits until the client reads.
        bench.hear(.entries([try SessionLoopTests().entry(2, in: SessionLoopTests.system)]))
        bench.turn()
        #expect(!bench.store.take().contains { if case .page = $0.request { true } else { false } })
        bench.clients.congested = []
        #expect(bench.sessions.resume(id, behind: position))
        bench.turn()
        #expect(bench.store.take().contains { if case .page = $0.request { true } else { false } })
    }

    @Test("the replies to a request's commands are sent together after the last; pushes are sent separately")
    func exchanges() throws {
        let bench = try SessionBench()
        let id = try connect(bench)
        bench.clients.forget()
        var replies: [String] = []
        let commands = #"{"id":5,"type":"ack","channel":"broadcast:system","seq":0}"# + "\n" + #"{"id":6,"type":"ping"}"#
        let isTaken = bench.sessions.message(id, Array(commands.utf8).span) {
            replies = String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        #expect(isTaken && replies.isEmpty, "the ack waits for the store")
        bench.turn()
        let order = try #require(bench.store.take().first)
        let state = ChannelState(channel: SessionLoopTests.system)
        bench.answer(order, .moved(MovedCursor(try user("ann"), state, isProgress: true, session: "s"), changed: true))
        #expect(
            replies.count == 2 && replies.contains { $0.hasPrefix(#"{"re":5,"ok""#) } && replies.contains { $0.hasPrefix(#"{"re":6,"ok""#) }
        )
        #expect(bench.clients.texts(id).isEmpty)
    }
}

import HTTP
import HangGuard
import JSON
import Testing
import WSProtocol

@testable import HubClient

@Suite("The protocol of hub tail", .guarded)
struct TailFollowerTests {
    private func reaction(_ follower: inout TailFollower, _ line: String) -> TailFollower.Reaction { follower.read(Array(line.utf8)) }

    @Test("Without channels it follows all channels in the reply to connect, from their heads")
    func followsAll() {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        #expect(follower.connect() == #"{"id":1,"type":"connect","token":"t"}"#)
        let reply = #"{"re":1,"ok":{"session":"s","channels":[{"channel":"inbox","head":7},{"channel":"broadcast:system","head":0}]}}"#
        #expect(
            reaction(&follower, reply).commands == [
                #"{"id":2,"type":"subscribe","channel":"inbox"}"#, #"{"id":3,"type":"subscribe","channel":"broadcast:system"}"#,
            ])
        let opened = #"{"type":"signal","signal":"conversation","channel":"conversation:c","user":"bob"}"#
        #expect(reaction(&follower, opened).commands == [#"{"id":4,"type":"subscribe","channel":"conversation:c","since":0}"#])
    }

    @Test("It acknowledges received entries only with --ack", arguments: [true, false])
    func acknowledges(_ isWanted: Bool) {
        var follower = TailFollower(token: "t", channels: [], since: nil, acknowledges: isWanted)
        _ = follower.connect()
        let entry = reaction(&follower, #"{"type":"entry","channel":"inbox","seq":8}"#)
        #expect(entry.commands == (isWanted ? [#"{"type":"ack","channel":"inbox","seq":8}"#] : []))
        #expect(reaction(&follower, #"{"type":"entry"}"#).commands.isEmpty)
    }

    @Test("On the next connection it continues at its positions")
    func resumes() {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        _ = follower.connect()
        for seq in [8, 9, 7] { _ = reaction(&follower, #"{"type":"entry","channel":"inbox","seq":\#(seq)}"#) }
        #expect(follower.entries == 3)
        _ = follower.connect()
        #expect(
            reaction(&follower, #"{"re":1,"ok":{"channels":[{"channel":"inbox"}]}}"#).commands == [
                #"{"id":2,"type":"subscribe","channel":"inbox","since":9}"#
            ])
    }

    @Test("On a hub with another history it forgets its positions, and on one with the same it does not")
    func otherHistory() {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        _ = follower.connect()
        _ = reaction(&follower, #"{"re":1,"ok":{"epoch":"a","channels":[{"channel":"inbox"}]}}"#)
        _ = reaction(&follower, #"{"type":"entry","channel":"inbox","seq":9}"#)
        for (epoch, since) in [("a", #","since":9"#), ("b", ""), ("b", "")] {
            _ = follower.connect()
            let welcome = #"{"re":1,"ok":{"epoch":"\#(epoch)","channels":[{"channel":"inbox"}]}}"#
            #expect(reaction(&follower, welcome).commands == [#"{"id":2,"type":"subscribe","channel":"inbox"\#(since)}"#])
        }
    }

    @Test("Named channels are followed with connect, from the requested position")
    func namedChannels() {
        var follower = TailFollower(token: "t", channels: ["inbox", "broadcast:system"], since: 5)
        #expect(
            follower.connect()
                == #"{"id":1,"type":"connect","token":"t","channels":[{"channel":"inbox","since":5},{"channel":"broadcast:system","since":5}]}"#
        )
        #expect(reaction(&follower, #"{"re":1,"ok":{"channels":[{"channel":"inbox"}]}}"#).commands == [])
    }

    @Test("It reports live once per connection, when every channel is live", arguments: [[], ["inbox", "broadcast:system"]])
    func live(channels: [String]) {
        var follower = TailFollower(token: "t", channels: channels, since: nil)
        let welcome = #"{"re":1,"ok":{"channels":[{"channel":"inbox"},{"channel":"broadcast:system"}]}}"#
        func live(_ channel: String) -> String { #"{"type":"signal","signal":"live","channel":"\#(channel)","seq":1}"# }
        for _ in 1...2 {
            _ = follower.connect()
            #expect(!reaction(&follower, welcome).isLive)
            #expect(!reaction(&follower, live("inbox")).isLive)
            #expect(!reaction(&follower, live("inbox")).isLive)
            #expect(reaction(&follower, live("broadcast:system")).isLive)
            #expect(!reaction(&follower, live("broadcast:system")).isLive, "after a gap was filled")
        }
    }

    @Test("Entries of an unknown kind and unknown members count like others")
    func laterVersion() {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        _ = follower.connect()
        let welcome = #"{"re":1,"ok":{"surprise":[1],"channels":[{"channel":"inbox","kind":"aquarium","depth":3}]},"also":1}"#
        #expect(reaction(&follower, welcome).commands == [#"{"id":2,"type":"subscribe","channel":"inbox"}"#])
        _ = reaction(&follower, #"{"type":"entry","channel":"inbox","seq":4,"kind":"poll","priority":"whispered","options":["a"]}"#)
        #expect(follower.positions == ["inbox": 4] && follower.entries == 1)
    }

    @Test("A refused channel ends the command")
    func refusedChannel() {
        var follower = TailFollower(token: "t", channels: ["broadcast:institution:x"], since: nil)
        let reply = #"{"re":1,"ok":{"channels":[],"refused":[{"channel":"broadcast:institution:x","code":"forbidden"}]}}"#
        #expect(reaction(&follower, reply).refusal == "broadcast:institution:x: forbidden")
    }

    @Test("A permanent refusal ends the command, a temporary one does not")
    func refusals() {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        #expect(
            reaction(&follower, #"{"re":1,"error":{"code":"invalid_token","message":"no","temporary":false}}"#).refusal
                == "invalid_token: no")
        let away = reaction(&follower, #"{"re":1,"error":{"code":"unavailable","message":"no","temporary":true}}"#)
        #expect(away == TailFollower.Reaction(setback: "unavailable: no"))
    }

    @Test(
        "Lines that it does not understand cause no command",
        arguments: [
            "", "{", "[]", "7", #"{"type":7}"#, #"{"re":{},"ok":[]}"#, #"{"type":"entry"}"#, #"{"type":"surprise","seq":1}"#,
            #"{"type":"signal","signal":"waving","channel":"inbox"}"#, #"{"type":"features","features":[]}"#,
            #"{"re":9,"error":{"code":"too_moody","message":"x","temporary":true}}"#,
        ])
    func nonsense(_ line: String) {
        var follower = TailFollower(token: "t", channels: [], since: nil)
        #expect(reaction(&follower, line) == TailFollower.Reaction())
    }
}

@Suite("Reconnecting after a lost connection", .guarded)
struct ReconnectPlanTests {
    private let bye = TailFollower.Bye(afterMilliseconds: 200, spreadMilliseconds: 5000)

    @Test(
        "The hundreds digit of the close code decides about reconnecting",
        arguments: [
            (4000, false), (4099, false), (1000, false), (4300, false), (4399, false), (4100, true), (4200, true), (1006, true),
            (4999, true),
        ] as [(UInt16, Bool)])
    func codes(_ code: UInt16, _ comesBack: Bool) {
        var plan = ReconnectPlan()
        let verdict = plan.next(after: code, bye: nil, wasStable: false) { $0 - 1 }
        if case .wait = verdict { #expect(comesBack) } else { #expect(!comesBack) }
    }

    @Test("Pauses grow with each failure up to half a minute, and start again after a stable connection")
    func growth() {
        var plan = ReconnectPlan()
        let longest = (0..<20).map { _ in plan.next(after: nil, bye: nil, wasStable: false) { $0 - 1 } }
        #expect(longest.prefix(3) == [.wait(milliseconds: 1000), .wait(milliseconds: 2000), .wait(milliseconds: 4000)])
        #expect(longest.last == .wait(milliseconds: 30_000))
        #expect(plan.next(after: nil, bye: nil, wasStable: true) { $0 - 1 } == .wait(milliseconds: 500))
    }

    @Test("It reconnects within the period that the hub advises")
    func window() {
        var plan = ReconnectPlan()
        #expect(plan.next(after: 4200, bye: bye, wasStable: true) { _ in 0 } == .wait(milliseconds: 200))
        #expect(plan.next(after: 4200, bye: bye, wasStable: true) { $0 - 1 } == .wait(milliseconds: 5200))
        #expect(plan.next(after: 4100, bye: bye, wasStable: true) { _ in 0 } == .wait(milliseconds: 200))
    }

    @Test("An absurdly long advised delay is limited")
    func absurd() {
        var plan = ReconnectPlan()
        let absurd = TailFollower.Bye(afterMilliseconds: .max, spreadMilliseconds: .min)
        #expect(plan.next(after: 4200, bye: absurd, wasStable: true) { $0 - 1 } == .wait(milliseconds: 300_000))
    }
}

@Suite("Tail's connection", .guarded)
struct TailConnectionTests {
    /// The server's answer to the client's request head, and its end of the connection.
    private func upgrade(_ head: [UInt8]) throws -> [UInt8] {
        var parser = HTTPRequestParser(limits: HTTPLimits())
        guard case .request(let request, _) = parser.parse(head.span) else { throw Unexpected("no request") }
        var policy = HandshakePolicy()
        policy.subprotocols = ["hub.v1.json"]
        guard case .accept(let agreement) = ServerHandshake.answer(request, policy: policy) else { throw Unexpected("not accepted") }
        return agreement.responseHead
    }

    private struct Unexpected: Error {
        let what: String
        init(_ what: String) { self.what = what }
    }

    @Test("Frames that arrive with the handshake's response become lines, in pieces of any size", arguments: [1, 2, 7, 1000])
    func lines(_ piece: Int) throws {
        var client = TailConnection(authority: "127.0.0.1:1", target: "/v1/socket", nonce: (1, 2)) { 0x0102_0304 }
        var incoming = try upgrade(client.requestHead)
        incoming += FrameEncoder.text(Array("one\ntwo".utf8)) + FrameEncoder.ping([1]) + FrameEncoder.close(WebSocketCloseCode(4200))
        var lines: [String] = []
        var output: [UInt8] = []
        var steps: [TailConnection.Step] = []
        for start in stride(from: 0, to: incoming.count, by: piece) {
            var bytes = Array(incoming[start..<min(start + piece, incoming.count)])
            var span = bytes.mutableSpan
            steps.append(
                client.receive(
                    &span, into: &output, opened: { "hello" },
                    line: { line in
                        lines.append(String(decoding: line, as: UTF8.self))
                        return line == Array("two".utf8) ? ["answer"] : []
                    }))
        }
        #expect(lines == ["one", "two"])
        #expect(steps.last == .close(4200))
        #expect(steps.dropLast().allSatisfy { $0 == .read })

        var server = WebSocketConnection(role: .server, limits: WebSocketLimits(), deflate: nil)
        var heard: [String] = []
        var replies: [UInt8] = []
        var span = output.mutableSpan
        var position = 0
        reading: while true {
            switch server.next(in: &span, from: &position, into: &replies) {
            case .message(_, let payload):
                heard.append(payload.withBytes(in: span.span) { text in String(decoding: text.indices.map { text[$0] }, as: UTF8.self) })
            case .control: continue
            case .exhausted: break reading
            }
        }
        #expect(heard == ["hello", "answer"])
    }

    @Test("A response without an upgrade gives a reason in one line")
    func refused() {
        var client = TailConnection(authority: "127.0.0.1:1", target: "/v1/socket", nonce: (1, 2)) { 0 }
        var answer = Array("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n".utf8)
        var output: [UInt8] = []
        var span = answer.mutableSpan
        #expect(
            client.receive(&span, into: &output, opened: { "" }, line: { _ in [] }) == .refused("the server answered with HTTP status 503"))
    }
}

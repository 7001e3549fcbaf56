import Auth
import HTTP
import Linux
import Logging
import Messaging
import Sessions
import Telemetry
import TestKit
import Testing
import WSProtocol

@testable import Reactor
@testable import Transports

@Suite("The connections of a loop: plain HTTP")
struct ServingLoopTests {
    private final class Echo: HTTPRoutes {
        func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse { HTTPResponse(status: 200, body: body) }
    }

    /// A loop with one connection, and the other end of it.
    private final class Bench {
        let loop: EventLoop
        let serving: ServingLoop
        private let peer: Int32
        private(set) var id: ConnectionID?

        init() throws {
            loop = try EventLoop(name: "serving")
            serving = ServingLoop(
                loop: loop, limits: ServingLimits(), routes: Echo(), metrics: ServingMetrics(),
                log: Logger(label: "serving") { _ in SwiftLogNoOpLogHandler() })
            let (near, far) = try Socket.pair()
            peer = far
            id = serving.table.adopt(near, peer: .local)
        }

        deinit {
            Socket.close(peer)
            loop.letGo()
        }

        /// What is there to be read now.
        func hear() -> [UInt8] {
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            var span = buffer.mutableSpan
            guard case .bytes(let count) = Socket.receive(peer, into: &span) else { return [] }
            return Array(buffer[..<count])
        }

        func turn() {
            loop.handle.wake()
            loop.turn()
        }

        func send(_ bytes: [UInt8]) {
            var rest = bytes
            for _ in 0..<100 where !rest.isEmpty {
                if case .bytes(let count) = Socket.send(peer, rest.span) { rest.removeFirst(count) }
                turn()
                if let id, serving.isCongested(id) { return }
            }
        }

        /// Says something, and gives what the loop answers to it in its next turn.
        func say(_ text: String) -> String { String(decoding: say(bytes: Array(text.utf8)), as: UTF8.self) }

        func say(bytes: [UInt8]) -> [UInt8] {
            send(bytes)
            return hear()
        }
    }

    @Test("who waits for 100 Continue is told to go on, once")
    func expectContinue() throws {
        let bench = try Bench()
        let head = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        #expect(bench.say(head) == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(bench.say("he") == "")
        #expect(bench.say("llo").hasSuffix("\r\n\r\nhello"))
        #expect(bench.say(head + "hello").hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test("requests sent ahead are answered as far as the client takes the answers, and all of them in the end")
    func pipelined() throws {
        let bench = try Bench()
        let id = try #require(bench.id)
        let body = String(repeating: "x", count: 60_000)
        let request = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + body
        var heard = 0
        var said = 0
        // Until nothing more is read from who reads nothing.
        while !bench.serving.isCongested(id), said < 200 {
            bench.send(Array(request.utf8))
            said += 1
        }
        #expect(said < 200)
        let limits = bench.serving.limits.connections
        for _ in 0..<5 { bench.send(Array("GET /y HTTP/1.1\r\nHost: h\r\n\r\n".utf8)) }
        let waiting = bench.serving.table.backlogBytes(id)
        #expect(waiting <= limits.highWatermarkBytes + 200_000)
        for _ in 0..<1_000 where heard < said * 60_000 {
            heard += bench.hear().count
            bench.turn()
        }
        for _ in 0..<10 { bench.turn() }
        heard += bench.hear().count
        #expect(heard > said * 60_000)
        #expect(bench.serving.metrics.requests.value == UInt64(said + 5))
    }

    /// Says something and hangs up, at every message.
    private final class HangsUp: SocketApplication {
        let path: String? = nil
        var handshake = HandshakePolicy()
        let introduction: Duration? = nil
        unowned let serving: ServingLoop

        init(_ serving: ServingLoop) {
            self.serving = serving
            handshake.deflate?.serverContextTakeover = true
        }

        func refusal(of request: HTTPRequest) -> HTTPResponse? { nil }
        func opened(_ endpoint: Endpoint, _ request: HTTPRequest, _ agreement: HandshakeAgreement) {}
        func message(_ id: ConnectionID, _ kind: MessageKind, _ payload: Span<UInt8>, _ machine: FrameMachine) {
            serving.send(text: Array("goodbye".utf8).span, to: id)
            serving.close(id, .badFrame)
        }
        func drained(_ id: ConnectionID) {}
        func closed(_ id: ConnectionID) {}
        func isIntroduced(_ id: ConnectionID) -> Bool { true }
        func end(_ id: ConnectionID, _ reason: EndReason) {}
    }

    @Test(
        "a text and a pong from before a close are sent before it, also to a client with a compression context of its own",
        arguments: [false, true])
    func lastWords(ownContext: Bool) throws {
        let bench = try Bench()
        let application = HangsUp(bench.serving)
        bench.serving.application = application
        var policy = DeflatePolicy()
        policy.serverContextTakeover = true
        let client = ClientHandshake(host: "h", target: "/x", nonce: (1, 2), deflate: ownContext ? policy : nil)
        // A ping and two empty messages in one read, masked with zeros.
        let frames: [UInt8] = [0x89, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0, 0x81, 0x80, 0, 0, 0, 0]
        let answer = bench.say(String(decoding: client.requestHead, as: UTF8.self))
        #expect(answer.contains("permessage-deflate") == ownContext && !answer.contains("server_no_context_takeover"))
        let goodbye = [0x81, 7] + Array("goodbye".utf8)
        let pong: [UInt8] = [0x8A, 0]
        #expect(
            bench.say(bytes: frames) == (ownContext ? pong + goodbye : goodbye + pong) + [0x88, 11, 0x0F, 0xA0] + Array("bad_frame".utf8))
    }

    @Test("an idle connection has patience until a request begins, and that request has a time of its own")
    func slowRequests() throws {
        let bench = try Bench()
        let id = try #require(bench.id)
        let endpoint = try #require(bench.serving.endpoint(id))
        let limits = bench.serving.limits
        let opened = endpoint.until
        #expect(bench.say("GET /x HT") == "")
        #expect(endpoint.until == opened, "being late gives no more time")
        #expect(bench.say("TP/1.1\r\nHost: h\r\n\r\n").hasPrefix("HTTP/1.1 200 OK"))
        #expect(endpoint.until > bench.loop.now + limits.headTimeout)
        for rest in ["G", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe"] {
            _ = bench.say(rest)
            let until = endpoint.until
            #expect(until <= bench.loop.now + limits.headTimeout)
            if rest == "G" { _ = bench.say("ET /x HTTP/1.1\r\nHost: h\r\n") }
            #expect(endpoint.until == until, "dripping gives no more time")
            if rest == "G" { #expect(bench.say("\r\n").hasPrefix("HTTP/1.1 200 OK")) }
        }
        endpoint.until = bench.loop.now
        bench.serving.deadline(endpoint.id)
        bench.turn()
        #expect(String(decoding: bench.hear(), as: UTF8.self).hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
    }

    @Test("every answer has a date, also a refusal")
    func dates() throws {
        let bench = try Bench()
        let before = WallClock.now() / 1_000
        let answers = [bench.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"), bench.say("nonsense\r\n\r\n")]
        let dates = (before...WallClock.now() / 1_000).map { "\r\ndate: \(HTTPDate(seconds: $0).text)\r\n" }
        for answer in answers { #expect(dates.contains { answer.contains($0) }, "\(answer)") }
    }
}

import HTTP
import Linux
import Logging
import Testing
import WSProtocol

@testable import Hub
@testable import Reactor

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

        init() throws {
            loop = try EventLoop(name: "serving")
            serving = ServingLoop(
                loop: loop, limits: ServingLimits(), routes: Echo(), metrics: ServingMetrics(),
                log: Logger(label: "serving") { _ in SwiftLogNoOpLogHandler() })
            let (near, far) = try Socket.pair()
            peer = far
            _ = serving.table.adopt(near, peer: .local)
        }

        deinit {
            Socket.close(peer)
            loop.letGo()
        }

        /// Says something, and gives what the loop answers to it in its next turn.
        func say(_ text: String) -> String {
            _ = Socket.send(peer, Array(text.utf8).span)
            loop.handle.wake()
            loop.turn()
            var buffer = [UInt8](repeating: 0, count: 65_536)
            var span = buffer.mutableSpan
            guard case .bytes(let count) = Socket.receive(peer, into: &span) else { return "" }
            return String(decoding: buffer[..<count], as: UTF8.self)
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

    @Test("a hub that is being stopped opens no more sockets")
    func drainingRefusesUpgrades() throws {
        let bench = try Bench()
        let sessions = try SessionBench().sessions
        defer { sessions.detach() }
        let sockets = SocketSessions(
            serving: bench.serving, sessions: sessions, handshake: HandshakePolicy(), introduction: .seconds(1))
        let request = HTTPRequest(method: .get, target: "/v1/socket", path: "/v1/socket", host: "h", headers: HTTPHeaders())
        #expect(sockets.refusal(of: request) == nil)
        sockets.drain(spread: .zero)
        #expect(sockets.refusal(of: request)?.status == 503)
    }
}

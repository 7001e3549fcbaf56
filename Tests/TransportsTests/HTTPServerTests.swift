import Auth
import HTTP
import HangGuard
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

@Suite("The connections of a loop: plain HTTP", .guarded)
struct HTTPServerTests {
    @Test("a client that waits for 100 Continue gets it once")
    func expectContinue() throws {
        let bench = try ServerBench()
        let head = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        #expect(bench.say(head) == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(bench.say("he") == "")
        #expect(bench.say("llo").hasSuffix("\r\n\r\nhello"))
        #expect(bench.say(head + "hello").hasPrefix("HTTP/1.1 200 OK"))
    }

    @Test("pipelined requests are answered while the client reads, and all are answered in the end")
    func pipelined() throws {
        let bench = try ServerBench()
        let id = try #require(bench.id)
        let body = String(repeating: "x", count: 60_000)
        let request = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + body
        var heard = 0
        var said = 0
        // Until nothing more is read from who reads nothing.
        while !bench.server.table.isCongested(id), said < 200 {
            bench.send(Array(request.utf8))
            said += 1
        }
        #expect(said < 200)
        let limits = bench.server.limits.connections
        let answered = bench.server.metrics.requests.value
        for _ in 0..<5 { bench.send(Array("GET /y HTTP/1.1\r\nHost: h\r\n\r\n".utf8)) }
        #expect(bench.server.metrics.requests.value == answered, "nothing is answered to who reads nothing")
        let waiting = bench.server.table.backlogBytes(id)
        #expect(waiting <= limits.highWatermarkBytes + 200_000)
        for _ in 0..<1_000 where heard < said * 60_000 {
            heard += bench.hear().count
            bench.turn()
        }
        for _ in 0..<10 { bench.turn() }
        heard += bench.hear().count
        #expect(heard > said * 60_000)
        #expect(bench.server.metrics.requests.value == UInt64(said + 5))
    }

    @Test("each request has a deadline that later bytes do not extend; an idle connection has a longer one")
    func slowRequests() throws {
        let bench = try ServerBench()
        let id = try #require(bench.id)
        let endpoint = try #require(bench.server.connection(id))
        let limits = bench.server.limits
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
        bench.server.deadline(endpoint.id)
        bench.turn()
        #expect(String(decoding: bench.hear(), as: UTF8.self).hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
    }

    @Test("a connection beyond those of its address gets 429 and is closed; when another one ends there is room again")
    func addresses() throws {
        let bench = try ServerBench { $0.connectionsPerAddress = 1 }
        func ask(_ peer: Int32) -> String {
            _ = Socket.send(peer, Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8).span)
            for _ in 0..<3 { bench.turn() }
            return String(decoding: bench.hear(peer), as: UTF8.self)
        }
        let first = try bench.connect(from: 1)
        #expect(ask(first).hasPrefix("HTTP/1.1 200"))
        let second = try bench.connect(from: 1)
        let refusal = ask(second)
        #expect(refusal.hasPrefix("HTTP/1.1 429") && refusal.lowercased().contains("connection: close"))
        #expect(ask(try bench.connect(from: 2)).hasPrefix("HTTP/1.1 200"))
        #expect(bench.server.metrics.addressRefusals.value == 1)
        bench.hangUp(first)
        bench.hangUp(second)
        for _ in 0..<3 { bench.turn() }
        #expect(ask(try bench.connect(from: 1)).hasPrefix("HTTP/1.1 200"))
    }

    @Test("every response has a Date header, also a refusal")
    func dates() throws {
        let bench = try ServerBench()
        let before = WallClock.now() / 1_000
        let answers = [bench.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"), bench.say("nonsense\r\n\r\n")]
        let dates = (before...WallClock.now() / 1_000).map { "\r\ndate: \(HTTPDate(seconds: $0).text)\r\n" }
        for answer in answers { #expect(dates.contains { answer.contains($0) }, "\(answer)") }
    }

    // MARK: HTTP/1.0

    @Test("a connection of HTTP/1.0 is closed after the response, unless the client asks for keep-alive")
    func oldVersion() throws {
        let bench = try ServerBench()
        let kept = bench.say("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(kept.hasPrefix("HTTP/1.1 200 OK\r\n") && kept.contains("\r\nconnection: keep-alive\r\n"))
        let last = bench.say("GET /x HTTP/1.0\r\n\r\n")
        #expect(last.hasPrefix("HTTP/1.1 200 OK\r\n") && last.contains("\r\nconnection: close\r\n"))
    }

    @Test("another major version is refused with 505", arguments: ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1"])
    func otherVersions(version: String) throws {
        let bench = try ServerBench()
        #expect(bench.say("GET /x \(version)\r\nHost: h\r\n\r\n").hasPrefix("HTTP/1.1 505 "))
    }

    // MARK: Answers that come later

    @Test("requests of one connection are answered in order, also when a handler answers later")
    func inOrder() throws {
        let bench = try ServerBench()
        let slow = SlowHandler()
        bench.server.add(slow, at: "/slow")
        let early = bench.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(early == "")
        let id = try #require(slow.asked.first)
        bench.server.respond(id, HTTPResponse(status: 202))
        for _ in 0..<3 { bench.turn() }
        let answers = String(decoding: bench.hear(), as: UTF8.self)
        #expect(answers.hasPrefix("HTTP/1.1 202 Accepted\r\n"))
        #expect(answers.contains("HTTP/1.1 200 OK\r\n"))
    }

    @Test("a request that waits for its turn is not answered before one that a handler still owes")
    func orderWithinATurn() throws {
        let bench = try ServerBench()
        let slow = SlowHandler()
        bench.server.add(slow, at: "/slow")
        func request(_ path: String) -> [UInt8] { Array("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n".utf8) }
        bench.send(request("/x") + request("/slow") + request("/y"))
        bench.send(request("/z"))
        for _ in 0..<5 { bench.turn() }
        #expect(bench.server.metrics.requests.value == 2)
        bench.server.respond(try #require(slow.asked.first), HTTPResponse(status: 202))
        for _ in 0..<5 { bench.turn() }
        let statuses = String(decoding: bench.hear(), as: UTF8.self).split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["200", "202", "200", "200"])
    }

    @Test("a body of the bound is read, and one byte more is refused")
    func bodyBound() throws {
        let bench = try ServerBench { $0.bodyBytes = 5 }
        #expect(bench.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").hasPrefix("HTTP/1.1 200 "))
        #expect(bench.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nhello!").hasPrefix("HTTP/1.1 413 "))
    }

    @Test("a client that pipelines many requests gets one response per turn")
    func fairness() throws {
        let bench = try ServerBench()
        let asked = Array(String(repeating: "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", count: 5).utf8)
        bench.send(asked)
        var answers = bench.hear()
        let first = bench.server.metrics.requests.value
        #expect(first < 5)
        bench.turn()
        #expect(bench.server.metrics.requests.value == first + 1)
        for _ in 0..<6 { bench.turn() }
        answers += bench.hear()
        #expect(String(decoding: answers, as: UTF8.self).split(separator: "HTTP/1.1 200 OK").count == 5)
    }

    @Test("requests that arrive in one turn with a slice of earlier ones are not answered in the same turn")
    func fairnessWithinATurn() throws {
        let bench = try ServerBench()
        let request = Array("GET /x HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        // Each turn finds new bytes and a request that waits.
        for turn in 1...6 {
            bench.send(request + request)
            #expect(bench.server.metrics.requests.value == UInt64(turn))
        }
        for _ in 0..<8 { bench.turn() }
        #expect(bench.server.metrics.requests.value == 12)
    }

    @Test("a stream is sent in chunks to HTTP/1.1, and until the end of the connection to HTTP/1.0", arguments: [1, 0])
    func streams(minor: Int) throws {
        let bench = try ServerBench()
        let slow = SlowHandler()
        bench.server.add(slow, at: "/slow")
        #expect(bench.say("GET /slow HTTP/1.\(minor)\r\nHost: h\r\n\r\n") == "")
        let id = try #require(slow.asked.first)
        let isChunked = bench.server.beginStream(id, HTTPResponse(status: 200))
        #expect(isChunked == (minor == 1))
        var piece: [UInt8] = []
        if minor == 1 { HTTPResponse.writeChunk(Array("hello".utf8).span, into: &piece) } else { piece = Array("hello".utf8) }
        bench.server.table.send(id, bytes: piece)
        bench.server.endStream(id)
        bench.turn()
        let answer = String(decoding: bench.hear(), as: UTF8.self)
        #expect(answer.hasSuffix(minor == 1 ? "\r\n\r\n5\r\nhello\r\n0\r\n\r\n" : "\r\nconnection: close\r\n\r\nhello"))
    }

    @Test("a handler is told that the client of its unanswered request has left")
    func goneWhileWaiting() throws {
        let bench = try ServerBench()
        let slow = SlowHandler()
        bench.server.add(slow, at: "/slow")
        _ = bench.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        let id = try #require(slow.asked.first)
        bench.server.table.close(id, .now)
        bench.turn()
        #expect(slow.gone == [id])
    }

    // MARK: Other loops

    @Test("a connection whose request belongs to another loop is answered there, with the bytes after the request")
    func handover() throws {
        let (here, there) = (try ServerBench(), try ServerBench())
        let mailboxes = [
            Mailbox<HandedConnection>(capacity: 4, wakes: here.loop.handle),
            Mailbox<HandedConnection>(capacity: 4, wakes: there.loop.handle),
        ]
        here.server.exchangeConnections(with: mailboxes, own: 0)
        there.server.exchangeConnections(with: mailboxes, own: 1)
        here.server.add(Elsewhere(loop: 1), at: "/x")
        #expect(here.say("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhiGET /y HTTP/1.1\r\nHost: h\r\n\r\n") == "")
        #expect(here.server.table.count == 0)
        for _ in 0..<4 { there.turn() }
        let answers = String(decoding: here.hear(), as: UTF8.self)
        #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 2)
        #expect(answers.contains("\r\n\r\nhi"))
        #expect(there.server.table.count == 2)
    }

    @Test("a loop with a full mailbox accepts no handed-over connection: the request gets a temporary refusal")
    func fullMailbox() throws {
        let bench = try ServerBench()
        let full = Mailbox<HandedConnection>(capacity: 0, wakes: bench.loop.handle)
        bench.server.exchangeConnections(with: [full], own: 1)
        bench.server.add(Elsewhere(loop: 0), at: "/x")
        // The second request is not complete; what is dropped of it must not leave its rest to be read as a head.
        let answer = bench.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HT")
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("connection: close"))
        #expect(bench.say("TP/1.1\r\nHost: h\r\n\r\n") == "")
    }

    @Test("a handed-over request takes the place of a connection without a session")
    func handoverToAFullLoop() throws {
        let (here, there) = (try ServerBench(), try ServerBench(connections: 1))
        let mailboxes = [here, there].map { Mailbox<HandedConnection>(capacity: 4, wakes: $0.loop.handle) }
        here.server.exchangeConnections(with: mailboxes, own: 0)
        there.server.exchangeConnections(with: mailboxes, own: 1)
        here.server.add(Elsewhere(loop: 1), at: "/x")
        _ = here.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in 0..<4 { there.turn() }
        #expect(String(decoding: here.hear(), as: UTF8.self).hasPrefix("HTTP/1.1 200 "))
        #expect(there.server.table.count == 1)
        #expect(there.server.metrics.connectionsSpared.value == 1)
    }

    @Test("a loop full of connections in use answers a handed-over request with 503 and closes the connection")
    func fullLoop() throws {
        let (here, there) = (try ServerBench(), try ServerBench(connections: 1))
        let slow = SlowHandler()
        there.server.add(slow, at: "/slow")
        #expect(there.say("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n") == "")
        let mailboxes = [here, there].map { Mailbox<HandedConnection>(capacity: 4, wakes: $0.loop.handle) }
        here.server.exchangeConnections(with: mailboxes, own: 0)
        there.server.exchangeConnections(with: mailboxes, own: 1)
        here.server.add(Elsewhere(loop: 1), at: "/x")
        _ = here.say("GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in 0..<4 { there.turn() }
        let answers = String(decoding: here.hear(), as: UTF8.self)
        #expect(answers.hasPrefix("HTTP/1.1 503 ") && answers.contains("connection: close"))
        #expect(answers.split(separator: "HTTP/1.1 ").count == 1, "nothing behind it is answered")
    }
}

/// Owes every answer.
private final class SlowHandler: HTTPHandler {
    private(set) var asked: [ConnectionID] = []
    private(set) var gone: [ConnectionID] = []

    func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        asked.append(id)
        return .later
    }
    func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { HTTPResponse(status: 503) }
    func drained(_ id: ConnectionID) {}
    func peerEnded(_ id: ConnectionID) {}
    func deadline(_ id: ConnectionID) {}
    func closed(_ id: ConnectionID) { gone.append(id) }
}

/// Says that another loop must answer.
private final class Elsewhere: HTTPHandler {
    private let loop: Int
    init(loop: Int) { self.loop = loop }
    func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer { .elsewhere(loop: loop) }
    func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { HTTPResponse(status: 503) }
    func drained(_ id: ConnectionID) {}
    func peerEnded(_ id: ConnectionID) {}
    func deadline(_ id: ConnectionID) {}
    func closed(_ id: ConnectionID) {}
}

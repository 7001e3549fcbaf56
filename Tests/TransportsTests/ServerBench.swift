import HTTP
import Linux
import Sessions

@testable import Reactor
@testable import Transports

/// Answers with the request's body.
final class EchoRoutes: HTTPRoutes {
    func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse { HTTPResponse(status: 200, body: body) }
}

/// A loop with one connection, and the other end of it.
final class ServerBench {
    let loop: EventLoop
    let server: HTTPServer
    private let peer: Int32
    private(set) var id: ConnectionID?

    private var others: [Int32] = []

    init(connections maximum: Int? = nil, _ adjust: (inout ServingLimits) -> Void = { _ in }) throws {
        loop = try EventLoop(name: "serving")
        var limits = ServingLimits()
        if let maximum { limits.connections.maximum = maximum }
        adjust(&limits)
        server = HTTPServer(loop: loop, limits: limits, routes: EchoRoutes(), metrics: ServingMetrics())
        let (near, far) = try Socket.pair()
        peer = far
        id = server.table.adopt(near, peer: .local)
    }

    deinit {
        Socket.close(peer)
        for other in others { Socket.close(other) }
        loop.letGo()
    }

    /// Another connection, from 10.0.0.`address`: its other end.
    func connect(from address: UInt8) throws -> Int32 {
        let (near, far) = try Socket.pair()
        others.append(far)
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        bytes[0] = 10
        bytes[3] = address
        _ = server.table.adopt(near, peer: PeerAddress(family: .v4, bytes: bytes, port: 1))
        return far
    }

    func hear(_ other: Int32) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var span = buffer.mutableSpan
        guard case .bytes(let count) = Socket.receive(other, into: &span) else { return [] }
        return Array(buffer[..<count])
    }

    func hangUp(_ other: Int32) {
        others.removeAll { $0 == other }
        Socket.close(other)
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
            if let id, server.table.isCongested(id) { return }
        }
    }

    /// Says something, and gives what the loop answers to it in its next turn.
    func say(_ text: String) -> String { String(decoding: say(bytes: Array(text.utf8)), as: UTF8.self) }

    func say(bytes: [UInt8]) -> [UInt8] {
        send(bytes)
        return hear()
    }
}

import Linux
import Testing

@testable import Reactor

/// A loop with a table, driven turn by turn on the test's own thread, and a driver that writes down what it is told.
final class Wire {
    let loop: EventLoop
    let driver: Recorder
    let table: ConnectionTable
    let faults = SocketFaults()
    private(set) var port: UInt16 = 0
    private var peers: [Int32] = []

    init(_ limits: ConnectionLimits = ConnectionLimits(), listens: Bool = false) throws {
        loop = try EventLoop(name: "test")
        driver = Recorder()
        table = ConnectionTable(loop: loop, limits: limits, driver: driver, faults: faults)
        driver.table = table
        if listens {
            let listener = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
            port = try Socket.localPort(listener)
            try table.listen(on: listener)
        }
    }

    deinit {
        for peer in peers { Socket.close(peer) }
        loop.letGo()
    }

    /// A connection of the table, and the socket at its other end.
    func connect(sendBuffer: Int32? = nil) throws -> (id: ConnectionID, peer: Int32) {
        let (own, peer) = try Socket.pair()
        if let sendBuffer { Socket.setSendBuffer(own, bytes: sendBuffer) }
        peers.append(peer)
        return (try #require(table.adopt(own, peer: .local)), peer)
    }

    /// A client over TCP.
    func client() throws -> Int32 {
        let peer = try Socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(5))
        peers.append(peer)
        return peer
    }

    func hangUp(_ peer: Int32) {
        peers.removeAll { $0 == peer }
        Socket.close(peer)
    }

    /// Turns until the condition holds. The loop waits in its poller, so this costs no more time than needed.
    func turn(until condition: () throws -> Bool, _ comment: Comment? = nil, location: SourceLocation = #_sourceLocation) rethrows {
        let limit = MonotonicInstant.now + .seconds(10)
        let nudge = loop.after(.seconds(10)) {}
        defer { loop.cancel(nudge) }
        while try !condition() {
            guard MonotonicInstant.now < limit else {
                Issue.record(comment ?? "it did not happen within ten seconds", sourceLocation: location)
                return
            }
            loop.turn()
        }
    }

    /// Turns that do not wait.
    func turns(_ count: Int) {
        for _ in 0..<count {
            loop.handle.wake()
            loop.turn()
        }
    }
}

/// What a driver was told, in order, and what it does about it.
final class Recorder: ConnectionDriver {
    enum Call: Equatable {
        case opened(ConnectionID)
        case received(ConnectionID, [UInt8])
        case peerClosed(ConnectionID)
        case drained(ConnectionID)
        case deadline(ConnectionID)
        case closed(ConnectionID, CloseCause)
    }

    weak var table: ConnectionTable?
    private(set) var calls: [Call] = []
    /// Those it can spare, in this order.
    var spares: [ConnectionID] = []
    /// What it does about each call.
    var reaction: (Call) -> Void = { _ in }
    private var depth = 0
    /// Some call came while another was under way.
    private(set) var wasReentered = false

    private func note(_ call: Call) {
        if depth > 0 { wasReentered = true }
        depth += 1
        calls.append(call)
        reaction(call)
        depth -= 1
    }

    func opened(_ id: ConnectionID, peer: PeerAddress) { note(.opened(id)) }
    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) { note(.received(id, bytes.indices.map { bytes[$0] })) }
    func peerClosed(_ id: ConnectionID) { note(.peerClosed(id)) }
    func drained(_ id: ConnectionID) { note(.drained(id)) }
    func deadline(_ id: ConnectionID) { note(.deadline(id)) }
    func spare() -> ConnectionID? { spares.isEmpty ? nil : spares.removeFirst() }
    func closed(_ id: ConnectionID, _ cause: CloseCause) { note(.closed(id, cause)) }

    var opened: [ConnectionID] { calls.compactMap { if case .opened(let id) = $0 { id } else { nil } } }
    var closed: [CloseCause] { calls.compactMap { if case .closed(_, let cause) = $0 { cause } else { nil } } }
    func received(_ id: ConnectionID) -> [UInt8] {
        calls.flatMap { call -> [UInt8] in if case .received(id, let bytes) = call { bytes } else { [] } }
    }
    func forget() { calls.removeAll() }
}

extension Socket {
    /// What waits at a peer's socket now; nil at its end, `failed` as a failure of the test's.
    static func pull(_ fd: Int32) throws -> [UInt8]? {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            var span = buffer.mutableSpan
            switch receive(fd, into: &span) {
            case .bytes(let count): all += buffer[..<count]
            case .wouldBlock: return all
            case .ended: return all.isEmpty ? nil : all
            case .failed(let errno): throw SystemError(call: "recv", errno: errno)
            }
        }
    }

    static func push(_ fd: Int32, _ bytes: [UInt8]) -> Int {
        if case .bytes(let count) = send(fd, bytes.span) { count } else { 0 }
    }
}

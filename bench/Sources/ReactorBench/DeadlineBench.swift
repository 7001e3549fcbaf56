import Linux
import Reactor

/// The cost of a deadline that every message postpones, with many connections that have one.
final class DeadlineBench: ConnectionDriver {
    private let connections: Int

    init(connections: Int) { self.connections = connections }

    func run() throws(SystemError) {
        let loop = try EventLoop(name: "bench")
        let table = ConnectionTable(loop: loop, limits: ConnectionLimits(), driver: self)
        var ids: [ConnectionID] = []
        // Both ends of each pair are connections; a few descriptors are needed for other files.
        for _ in 0..<min(connections, Machine.descriptorLimit - 64) / 2 {
            let pair = try Socket.pair()
            for fd in [pair.0, pair.1] {
                if let id = table.adopt(fd, peer: .local) { ids.append(id) }
            }
        }
        let rounds = 200
        let start = Thread.processorTime
        for _ in 0..<rounds {
            for id in ids { table.setDeadline(id, after: .seconds(25)) }
            loop.handle.wake()
            loop.turn()
        }
        let spent = (Thread.processorTime - start).wholeNanoseconds
        Console.print("cpu_ns_per_deadline \(Double(spent) / Double(rounds * ids.count)) connections \(ids.count)\n")
    }

    func opened(_ id: ConnectionID, peer: PeerAddress) {}
    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {}
    func peerClosed(_ id: ConnectionID) {}
    func drained(_ id: ConnectionID) {}
    func deadline(_ id: ConnectionID) {}
    func closed(_ id: ConnectionID, _ cause: CloseCause) {}
}

import Linux
import Reactor

/// How evenly several loops get connections: by the kernel's choice among listeners on one port, or from one acceptor in rotation.
enum BalanceBench {
    /// Counts the connections of one loop, and measures accepting them.
    private final class Counter: ConnectionDriver {
        func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {}
        func peerClosed(_ id: ConnectionID) {}
        func opened(_ id: ConnectionID, peer: PeerAddress) {}
        func drained(_ id: ConnectionID) {}
        func deadline(_ id: ConnectionID) {}
        func closed(_ id: ConnectionID, _ cause: CloseCause) {}
    }

    /// One acceptor, which passes the sockets to the loops through their mailboxes.
    private final class Acceptor {
        let loop: EventLoop
        let mailboxes: [Mailbox<(Int32, PeerAddress)>]
        var next = 0
        init(_ loop: EventLoop, _ mailboxes: [Mailbox<(Int32, PeerAddress)>]) {
            self.loop = loop
            self.mailboxes = mailboxes
        }
        func accept(_ listener: Int32) {
            while case .connection(let fd, let peer) = Socket.accept(listener) {
                if !mailboxes[next].post((fd, peer)) { Socket.close(fd) }
                next = (next + 1) % mailboxes.count
            }
        }
    }

    static func run(loops count: Int, connections: Int) throws(SystemError) {
        for handsOver in [false, true] {
            let first = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: true)
            let port = try Socket.localPort(first)
            var loops: [EventLoop] = []
            var tables: [ConnectionTable] = []
            var drivers: [Counter] = []
            var mailboxes: [Mailbox<(Int32, PeerAddress)>] = []
            for index in 0..<count {
                let loop = try EventLoop(name: "loop-\(index)")
                let driver = Counter()
                let table = ConnectionTable(loop: loop, limits: ConnectionLimits(), driver: driver)
                let mailbox = Mailbox<(Int32, PeerAddress)>(capacity: 65_536, wakes: loop.handle)
                if handsOver {
                    loop.receive(from: mailbox) { batch in
                        for (fd, peer) in batch { _ = table.adopt(fd, peer: peer) }
                    }
                } else {
                    try table.listen(on: index == 0 ? first : try Socket.listen(host: "127.0.0.1", port: port, reusePort: true))
                }
                loops.append(loop)
                tables.append(table)
                drivers.append(driver)
                mailboxes.append(mailbox)
            }
            let acceptor = Acceptor(loops[0], mailboxes)
            if handsOver { _ = try loops[0].watch(first, .readable) { [acceptor] _ in acceptor.accept(first) } }
            let before = Thread.processorTime
            var clients: [Int32] = []
            while clients.count < connections {
                clients.append(try Socket.connect(host: "127.0.0.1", port: port, timeout: .seconds(5)))
                // All loops run on this thread: the comparison is of the distribution and the cost of accepting, not of parallelism.
                for loop in loops {
                    loop.handle.wake()
                    loop.turn()
                }
            }
            let spent = (Thread.processorTime - before).wholeNanoseconds / Int64(connections)
            let shares = tables.map(\.count)
            Console.print("\(handsOver ? "hand-over" : "reuseport") shares \(shares) cpu_ns_per_connect \(spent)\n")
            for client in clients { Socket.close(client) }
            withExtendedLifetime(drivers) {}
        }
    }
}

import Linux
import Reactor

/// The same server as bench/baseline/echo_loop.c, on the reactor. Ends at the end of standard input.
final class EchoBench: ConnectionDriver {
    private let loop: EventLoop
    private var table: ConnectionTable?
    private var echoes = 0

    init() throws(SystemError) { loop = try EventLoop(name: "bench") }

    func run() throws(SystemError) {
        let table = ConnectionTable(loop: loop, limits: ConnectionLimits(), driver: self)
        self.table = table
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        try table.listen(on: listener)
        Console.print("listening \(try Socket.localPort(listener))\n")
        _ = try loop.watch(0, .readable) { [unowned self] _ in loop.handle.stop() }
        let start = Thread.processorTime
        loop.run()
        let spent = Double((Thread.processorTime - start).wholeNanoseconds)
        Console.print("cpu_ns_per_echo \(spent / Double(max(echoes, 1))) echoes \(echoes)\n")
    }

    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {
        echoes += 1
        table?.send(id, copying: bytes.span)
    }

    func peerClosed(_ id: ConnectionID) { table?.close(id, .now) }
    func opened(_ id: ConnectionID, peer: PeerAddress) {}
    func drained(_ id: ConnectionID) {}
    func deadline(_ id: ConnectionID) {}
    func closed(_ id: ConnectionID, _ cause: CloseCause) {}
}

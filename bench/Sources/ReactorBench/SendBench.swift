import Linux
import Reactor

/// The same work as bench/baseline/send_loop.c, on the reactor: same rounds, same clock, same output.
final class SendBench: ConnectionDriver {
    private let connections: Int
    private let rounds: Int
    private let frames: [Payload]
    private let loop: EventLoop
    private var table: ConnectionTable?
    private var ids: [ConnectionID] = []
    private var round = -5  // the first five warm up
    private var start = Duration.zero
    private var spent = Duration.zero
    private var bytesBefore = 0

    init(connections: Int, rounds: Int, frames: Int, bytes: Int) throws(SystemError) {
        self.connections = connections
        self.rounds = rounds
        self.frames = (0..<frames).map { _ in Payload([UInt8](repeating: 120, count: bytes)) }
        loop = try EventLoop(name: "bench")
        bytesBefore = Machine.residentBytes
    }

    func run() throws(SystemError) {
        let table = ConnectionTable(loop: loop, limits: ConnectionLimits(), driver: self)
        self.table = table
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        try table.listen(on: listener)
        Console.print("listening \(try Socket.localPort(listener))\n")
        loop.run()
        let deliveries = Double(rounds * connections * frames.count)
        let statistics = table.statistics
        Console.print(
            "cpu_ns_per_delivery \(Double(spent.wholeNanoseconds) / deliveries) missed \(statistics.partialSends) sends \(statistics.sends)\n"
        )
    }

    func opened(_ id: ConnectionID, peer: PeerAddress) {
        ids.append(id)
        if ids.count == connections {
            Console.error("resident bytes per connection \((Machine.residentBytes - bytesBefore) / connections)\n")
            loop.after(.milliseconds(50)) { [unowned self] in broadcast() }
        }
    }

    private func broadcast() {
        guard let table else { return }
        start = Thread.processorTime
        for payload in frames {
            let frame = table.stage(payload)
            for id in ids { table.send(id, frame) }
        }
        // The connections are flushed after this part of the turn; the next turn begins with one wait, as in the C loop.
        var isNextTurn = false
        loop.slice { [unowned self] in
            if !isNextTurn {
                isNextTurn = true
                return true
            }
            if round >= 0 { spent += Thread.processorTime - start }
            round += 1
            if round == rounds { loop.handle.stop() } else { loop.after(.microseconds(connections * 20)) { [unowned self] in broadcast() } }
            return false
        }
    }

    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {}
    func peerClosed(_ id: ConnectionID) {}
    func drained(_ id: ConnectionID) {}
    func deadline(_ id: ConnectionID) {}
    func closed(_ id: ConnectionID, _ cause: CloseCause) {}
}

import HangGuard
import Linux
import Testing

@testable import Reactor

@Suite(.guarded) struct AcceptTests {
    @Test func acceptingPausesAtTheMaximumAndResumesWhenOneCloses() throws {
        var limits = ConnectionLimits()
        limits.maximum = 2
        limits.acceptPause = .seconds(3_600)
        let wire = try Wire(limits, listens: true)
        let clients = try (0..<3).map { _ in try wire.client() }
        wire.turn(until: { wire.table.statistics.acceptPauses == 1 })
        #expect(wire.table.count == 2)
        wire.turns(5)
        #expect(wire.table.count == 2)
        #expect(wire.table.statistics.acceptPauses == 1)
        wire.table.close(wire.driver.opened[0], .now)
        wire.turn(until: { wire.driver.opened.count == 3 })
        #expect(wire.table.count == 2)
        #expect(clients.count == 3)
    }

    @Test func aSpareConnectionIsClosedForEachNewOne() throws {
        var limits = ConnectionLimits()
        limits.maximum = 2
        limits.reserve = 1
        limits.acceptPause = .seconds(3_600)
        let wire = try Wire(limits, listens: true)
        let (kept, _) = try wire.connect()
        let (idle, _) = try wire.connect()
        wire.driver.spares = [idle]
        var clients = [try wire.client()]
        wire.turn(until: { wire.driver.opened.count == 3 && wire.driver.closed.count == 1 })
        #expect(wire.driver.calls.contains(.closed(idle, .closed)))
        #expect(wire.table.count == 2 && !wire.table.isOverMaximum)
        #expect(wire.table.statistics.spared == 1 && wire.table.statistics.acceptPauses == 0)
        // None can be spared: the reserve takes the next, and then accepting pauses.
        clients += try (0..<2).map { _ in try wire.client() }
        wire.turn(until: { wire.table.statistics.acceptPauses == 1 })
        #expect(wire.table.count == 3 && wire.table.isOverMaximum)
        wire.turns(3)
        #expect(wire.table.count == 3)
        wire.table.close(kept, .now)
        wire.turn(until: { wire.driver.opened.count == 5 })
        #expect(clients.count == 3)
    }

    @Test func noMoreAreSparedThanAreAccepted() throws {
        var limits = ConnectionLimits()
        limits.maximum = 4
        limits.reserve = 1
        let wire = try Wire(limits, listens: true)
        wire.driver.spares = try (0..<4).map { _ in try wire.connect().id }
        let clients = try (0..<2).map { _ in try wire.client() }
        wire.turn(until: { wire.driver.opened.count == 6 })
        wire.turns(5)
        #expect(wire.driver.closed.count == 2 && wire.table.count == 4)
        #expect(clients.count == 2)
    }

    @Test(arguments: [SystemError.tooManyInProcess, SystemError.tooManyInSystem, SystemError.noMemory, SystemError.noBuffers])
    func acceptingPausesWhenNoDescriptorIsLeft(errno: Int32) throws {
        var limits = ConnectionLimits()
        limits.acceptPause = .milliseconds(20)
        let wire = try Wire(limits, listens: true)
        var calls = 0
        wire.faults.accept = {
            calls += 1
            return calls == 1 ? .failed(SystemError(call: "accept", errno: errno)) : nil
        }
        _ = try wire.client()
        wire.turn(until: { wire.table.statistics.acceptPauses == 1 })
        // The listener is ready all the while, and must not keep the loop busy.
        wire.turns(3)
        #expect(calls == 1)
        wire.turn(until: { wire.table.count == 1 })
        #expect(wire.table.statistics.acceptFailures == 1)
    }

    @Test func aFreedDescriptorEndsThePauseAtOnce() throws {
        var limits = ConnectionLimits()
        limits.acceptPause = .seconds(3_600)
        let wire = try Wire(limits, listens: true)
        let (id, _) = try wire.connect()
        var calls = 0
        wire.faults.accept = {
            calls += 1
            return calls == 1 ? .failed(SystemError(call: "accept", errno: SystemError.tooManyInProcess)) : nil
        }
        _ = try wire.client()
        wire.turn(until: { wire.table.statistics.acceptPauses == 1 })
        wire.table.close(id, .now)
        wire.turn(until: { wire.driver.opened.count == 2 })
    }

    @Test func consecutivePausesLeaveOneTimer() throws {
        var limits = ConnectionLimits()
        limits.maximum = 1
        limits.acceptPause = .seconds(3_600)
        let wire = try Wire(limits, listens: true)
        let clients = try (0..<20).map { _ in try wire.client() }
        for count in 1...19 {
            wire.turn(until: { wire.table.statistics.acceptPauses == UInt64(count) && wire.table.count == 1 })
            wire.table.close(wire.driver.opened[count - 1], .now)
        }
        #expect(wire.loop.pendingTimers <= 2)
        #expect(clients.count == 20)
    }

    @Test func aConnectionThatDiedInTheQueueIsSkipped() throws {
        let wire = try Wire(listens: true)
        var calls = 0
        wire.faults.accept = {
            calls += 1
            return calls == 1 ? .failed(SystemError(call: "accept", errno: SystemError.aborted)) : nil
        }
        _ = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        #expect(wire.table.statistics.acceptPauses == 0)
        #expect(wire.table.statistics.acceptFailures == 1)
    }

    @Test func manyConnectionsAreAcceptedInPortions() throws {
        var limits = ConnectionLimits()
        limits.acceptsPerTurn = 4
        let wire = try Wire(limits, listens: true)
        let clients = try (0..<10).map { _ in try wire.client() }
        wire.turn(until: { wire.table.count > 0 })
        #expect(wire.table.count == 4)
        wire.turn(until: { wire.table.count == 10 })
        #expect(clients.count == 10)
    }

    @Test func noConnectionIsAcceptedAfterListeningStopped() throws {
        let wire = try Wire(listens: true)
        let client = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        wire.table.stopListening()
        #expect(throws: SystemError.self) { try wire.client() }
        wire.table.send(wire.driver.opened[0], bytes: [1])
        wire.turns(1)
        #expect(try Socket.pull(client) == [1])
    }

    @Test func anAcceptedSocketSendsSmallFramesAtOnce() throws {
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        defer { Socket.close(listener) }
        let client = try Socket.connect(host: "127.0.0.1", port: try Socket.localPort(listener), timeout: .seconds(5))
        defer { Socket.close(client) }
        guard case .connection(let fd, let peer) = Socket.accept(listener) else {
            Issue.record("nobody accepted")
            return
        }
        defer { Socket.close(fd) }
        #expect(Socket.isNoDelay(fd))
        #expect(peer.description.hasPrefix("127.0.0.1:"))
    }

    @Test func loopsShareAPortAndASocketCanBeHandedOver() throws {
        let first = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: true)
        let second = try Socket.listen(host: "127.0.0.1", port: try Socket.localPort(first), reusePort: true)
        Socket.close(second)
        let wire = try Wire()
        let mailbox = Mailbox<Int32>(capacity: 8, wakes: wire.loop.handle)
        wire.loop.receive(from: mailbox) { [unowned wire] batch in
            for fd in batch { _ = wire.table.adopt(fd, peer: .local) }
        }
        let (own, peer) = try Socket.pair()
        defer { for fd in [first, peer] { Socket.close(fd) } }
        let thread = try Thread.spawn(name: "acceptor") { _ = mailbox.post(own) }
        wire.turn(until: { wire.table.count == 1 })
        thread.join()
    }
}

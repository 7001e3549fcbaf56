import HangGuard
import Linux
import Testing

@testable import Reactor

/// What a turn sends to many sockets, in one system call and one by one: the sockets must not be able to tell.
@Suite(.guarded) struct SendingTogetherTests {
    private static let ways = [true, false]
    private static let brokenPipe: Int32 = 32

    private func wire(together: Bool) throws -> Wire {
        var limits = ConnectionLimits()
        limits.sendsTogether = together
        let wire = try Wire(limits)
        try #require(wire.table.sendsTogether == together, "\(String(describing: wire.table.ringFailure))")
        wire.table.store.ringMinimum = 1
        return wire
    }

    @Test(arguments: ways) func everySocketGetsWhatItWasSent(together: Bool) throws {
        let wire = try wire(together: together)
        let count = SendRing.capacity * 2 + 50
        let connections = try (0..<count).map { _ in try wire.connect() }
        let frames = (0..<3).map { Payload([UInt8](repeating: UInt8($0 + 1), count: 300 + $0)) }
        let large = Payload([UInt8](repeating: 9, count: Outbox.smallFrameBytes + 1))
        let staged = frames.map(wire.table.stage)
        for (number, (id, _)) in connections.enumerated() {
            // Side by side in the arena, joined, of its own, and larger than what is joined.
            if number % 2 == 0 { wire.table.send(id, staged[0]) }
            if number % 3 == 0 { wire.table.send(id, staged[2]) }
            wire.table.send(id, staged[1])
            if number % 5 == 0 { wire.table.send(id, bytes: [UInt8(truncatingIfNeeded: number)]) }
            if number % 50 == 0 { wire.table.send(id, wire.table.stage(large)) }
        }
        wire.turns(1)
        for (number, (id, peer)) in connections.enumerated() {
            var expected: [UInt8] = []
            if number % 2 == 0 { expected += frames[0].bytes }
            if number % 3 == 0 { expected += frames[2].bytes }
            expected += frames[1].bytes
            if number % 5 == 0 { expected.append(UInt8(truncatingIfNeeded: number)) }
            if number % 50 == 0 { expected += large.bytes }
            #expect(try Socket.pull(peer) == expected, "connection \(number)")
            #expect(wire.table.backlogBytes(id) == 0)
        }
        let statistics = wire.table.statistics
        #expect(statistics.sends >= UInt64(count))
        #expect(together ? (3...4).contains(statistics.ringSubmits) : statistics.ringSubmits == 0)
    }

    @Test(arguments: ways) func aSlowPeerGetsTheRestLater(together: Bool) throws {
        let wire = try wire(together: together)
        let connections = try (0..<6).map { try wire.connect(sendBuffer: $0 % 2 == 0 ? 4_096 : nil) }
        let frames = (0..<20).map { Payload([UInt8](repeating: UInt8($0), count: 2_000)) }
        var received = [[UInt8]](repeating: [], count: connections.count)
        for frame in frames {
            let staged = wire.table.stage(frame)
            for (id, _) in connections { wire.table.send(id, staged) }
            wire.turns(1)
        }
        #expect(wire.table.backlogBytes(connections[0].id) > 0)
        #expect(wire.table.backlogBytes(connections[1].id) == 0)
        let expected = frames.flatMap(\.bytes)
        try wire.turn(until: {
            for (number, (_, peer)) in connections.enumerated() { received[number] += try Socket.pull(peer) ?? [] }
            return received.allSatisfy { $0.count >= expected.count }
        })
        for bytes in received { #expect(bytes == expected) }
    }

    @Test(arguments: ways) func aPeerThatHungUpDoesNotDisturbTheOthers(together: Bool) throws {
        let wire = try wire(together: together)
        let connections = try (0..<5).map { _ in try wire.connect() }
        wire.hangUp(connections[2].peer)
        let staged = wire.table.stage(Payload([1, 2, 3]))
        for (id, _) in connections { wire.table.send(id, staged) }
        wire.table.flush()
        wire.turns(2)
        #expect(wire.driver.closed == [.failed(Self.brokenPipe)])
        #expect(wire.driver.calls.contains(.closed(connections[2].id, .failed(Self.brokenPipe))))
        for (number, (_, peer)) in connections.enumerated() where number != 2 { #expect(try Socket.pull(peer) == [1, 2, 3]) }
    }

    @Test(arguments: ways) func eachSocketsSendResultIsHandledSeparately(together: Bool) throws {
        let wire = try wire(together: together)
        let connections = try (0..<4).map { _ in try wire.connect() }
        var answers: [Socket.Transfer?] = [.wouldBlock, .bytes(3), .failed(SystemError.noBuffers), nil]
        wire.faults.send = { _ in answers.isEmpty ? nil : answers.removeFirst() }
        let staged = wire.table.stage(Payload([1, 2, 3, 4]))
        for (id, _) in connections { wire.table.send(id, staged) }
        wire.table.flush()
        #expect(connections.map { wire.table.backlogBytes($0.id) } == [4, 1, 0, 0])
        wire.turn(until: { wire.table.backlogBytes(connections[0].id) + wire.table.backlogBytes(connections[1].id) == 0 })
        #expect(wire.driver.closed == [.failed(SystemError.noBuffers)])
        for number in [0, 1, 3] { #expect(try Socket.pull(connections[number].peer) == [1, 2, 3, 4]) }
    }

    @Test func answersOfOneTurnAreSentTogether() throws {
        let wire = try wire(together: true)
        let connections = try (0..<40).map { _ in try wire.connect() }
        wire.driver.reaction = { [unowned wire] call in
            if case .received(let id, let bytes) = call { wire.table.send(id, bytes: bytes.reversed()) }
        }
        for (number, (_, peer)) in connections.enumerated() { #expect(Socket.push(peer, [UInt8(number), 7]) == 2) }
        wire.turns(1)
        for (number, (_, peer)) in connections.enumerated() { #expect(try Socket.pull(peer) == [7, UInt8(number)]) }
        #expect(wire.table.statistics.ringSubmits == 1)
        #expect(wire.table.statistics.sends == 40)
    }

    @Test func theRingReturnsTheSameResultsAsSend() throws {
        var ring = try SendRing()
        let (open, openPeer) = try Socket.pair()
        let (orphan, orphanPeer) = try Socket.pair()
        let (full, fullPeer) = try Socket.pair()
        defer { for fd in [open, openPeer, orphan, full, fullPeer] { Socket.close(fd) } }
        Socket.close(orphanPeer)
        let filler = [UInt8](repeating: 0, count: 1 << 16)
        while case .bytes = Socket.send(full, filler.span) {}
        let first: [UInt8] = [1, 2, 3, 4]
        let second: [UInt8] = [5, 6, 7]
        for round in 1...3 {
            ring.add(open, 1..<3, inSecond: false)
            ring.add(orphan, 0..<1, inSecond: true)
            ring.add(full, 0..<4, inSecond: false)
            ring.add(1 << 20, 0..<4, inSecond: false)
            ring.add(open, 0..<3, inSecond: true)
            ring.submit(first.span, second.span)
            #expect(ring.result(0) == .bytes(2))
            #expect(ring.result(1) == .failed(Self.brokenPipe))
            #expect(ring.result(2) == .wouldBlock)
            #expect(ring.result(3) == .failed(9), "EBADF")
            #expect(ring.result(4) == .bytes(3))
            ring.clear()
            #expect(try Socket.pull(openPeer) == [2, 3, 5, 6, 7], "round \(round)")
        }
    }
}

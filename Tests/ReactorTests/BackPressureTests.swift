import HangGuard
import Linux
import Testing

@testable import Reactor

@Suite(.guarded) struct BackPressureTests {
    private let frame = Payload([UInt8](repeating: 3, count: 1_000))

    private var limits: ConnectionLimits {
        var limits = ConnectionLimits()
        limits.highWatermarkBytes = 30_000
        limits.lowWatermarkBytes = 10_000
        limits.backlogBytes = 100_000
        return limits
    }

    @Test(arguments: [0, 1, 499, 999]) func onlyTheRestOfAPartialWriteIsKept(taken: Int) throws {
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect()
        var isFirst = true
        wire.faults.send = { _ in
            defer { isFirst = false }
            return isFirst ? (taken == 0 ? .wouldBlock : .bytes(taken)) : nil
        }
        let numbered = Payload((0..<1_000).map { UInt8(truncatingIfNeeded: $0) })
        wire.table.send(id, wire.table.stage(numbered))
        wire.table.flush()
        #expect(wire.table.backlogBytes(id) == 1_000 - taken)
        wire.table.send(id, bytes: [77])
        wire.turn(until: { wire.table.backlogBytes(id) == 0 })
        #expect(try Socket.pull(peer) == numbered.bytes + [77])
        #expect(wire.table.store.records[Int(id.slot)].backlog == ConnectionRecord.noBacklog)
    }

    @Test func congestionBeginsAboveTheHighWatermarkAndEndsAtTheLowOne() throws {
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect()
        wire.faults.send = { _ in .wouldBlock }
        for _ in 0..<30 { wire.table.send(id, wire.table.stage(frame)) }
        wire.turns(1)
        #expect(!wire.table.isCongested(id))
        wire.table.send(id, bytes: [1])
        wire.turns(1)
        #expect(wire.table.isCongested(id))
        #expect(wire.table.backlogBytes(id) == 30_001)
        // The peer takes it in pieces.
        wire.faults.send = { _ in .bytes(5_000) }
        wire.turn(until: { !wire.table.isCongested(id) })
        #expect(wire.table.backlogBytes(id) <= 10_000)
        wire.faults.send = { count in .bytes(count) }
        wire.turn(until: { wire.table.backlogBytes(id) == 0 })
        wire.turns(2)
        #expect(wire.driver.calls == [.opened(id), .drained(id)])
        #expect(try Socket.pull(peer)?.count == 30_001)
    }

    @Test func thePeersWindowGoesOnWhenThePeerReads() throws {
        let wire = try Wire(ConnectionLimits(), listens: true)
        let peer = try wire.client()
        wire.turn(until: { !wire.driver.opened.isEmpty })
        let id = try #require(wire.driver.opened.first)
        var pieces = 0
        while true {
            for _ in 0..<50 { wire.table.send(id, wire.table.stage(frame)) }
            wire.turns(3)
            pieces += 50
            if wire.table.backlogBytes(id) > 0 { break }
        }
        let full = try #require(wire.table.peerWindow(id))
        #expect(full.acknowledged > 0 && !full.isAllAcknowledged)
        wire.turns(3)
        #expect(try #require(wire.table.peerWindow(id)).end - full.end < full.step, "nothing is read")
        var got = 0
        wire.turn(until: {
            got += (try? Socket.pull(peer)?.count) ?? 0
            wire.loop.handle.wake()
            return got == pieces * 1_000
        })
        wire.turn(until: {
            wire.loop.handle.wake()
            return wire.table.peerWindow(id)?.isAllAcknowledged == true
        })
        let read = try #require(wire.table.peerWindow(id))
        #expect(read.acknowledged == UInt64(pieces) * 1_000)
        #expect(read.end - full.end > 10_000)
        wire.hangUp(peer)
    }

    @Test func aSocketThatIsNotTCPHasNoWindow() throws {
        let wire = try Wire(limits)
        #expect(wire.table.peerWindow(try wire.connect().id) == nil)
    }

    @Test func theKernelKeepsFewUnsentBytes() throws {
        let wire = try Wire(listens: true)
        _ = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        let accepted = wire.table.store.records[0].fd
        #expect(Socket.unsentBound(accepted) == 128 * 1_024)
    }

    @Test func aDriverThatSendsMoreWhenDrainedDoesNotBlockTheTurn() throws {
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect(sendBuffer: 4_096)
        let (other, otherPeer) = try wire.connect()
        var sent = 0
        func push() {
            while !wire.table.isCongested(id) {
                wire.table.send(id, wire.table.stage(frame))
                wire.table.flush()
                sent += 1_000
            }
        }
        wire.driver.reaction = { call in if case .drained = call, sent < 1_000_000 { push() } }
        defer { wire.driver.reaction = { _ in } }
        push()
        var got = 0
        var heard = 0
        try wire.turn(until: {
            got += try Socket.pull(peer)?.count ?? 0
            heard += Socket.push(otherPeer, [1])
            wire.loop.handle.wake()
            return got >= 1_000_000
        })
        #expect(got <= sent)
        // In every turn the other one was heard too.
        #expect(wire.driver.received(other).count >= heard - 2)
        #expect(heard > 10)
    }

    @Test func aPeerThatDoesNotReadIsClosedAtTheHardLimit() throws {
        let wire = try Wire(limits)
        let (slow, _) = try wire.connect()
        let (other, otherPeer) = try wire.connect()
        wire.faults.send = { _ in .wouldBlock }
        var turns = 0
        while wire.driver.closed.isEmpty, turns < 200 {
            wire.table.send(slow, wire.table.stage(frame))
            wire.turns(1)
            turns += 1
        }
        #expect(turns == 101)
        #expect(wire.driver.calls.last == .closed(slow, .overflow))
        #expect(wire.table.statistics.overflows == 1)
        wire.faults.send = { _ in nil }
        wire.table.send(other, bytes: [1])
        wire.turns(1)
        #expect(try Socket.pull(otherPeer) == [1])
    }

    @Test func oneFrameLargerThanTheHardLimitOverflowsToo() throws {
        let wire = try Wire(limits)
        let (id, _) = try wire.connect()
        wire.faults.send = { _ in .wouldBlock }
        wire.table.send(id, bytes: [UInt8](repeating: 1, count: 100_001))
        wire.table.send(id, bytes: [1])
        wire.turns(1)
        #expect(wire.driver.closed == [.overflow])
    }

    @Test func manyFramesInOneTurnGoOutBeforeItsEnd() throws {
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect()
        for _ in 0..<70 { wire.table.send(id, wire.table.stage(frame)) }
        #expect(wire.table.statistics.sends == 1)
        wire.turns(1)
        #expect(wire.table.statistics.sends == 2)
        #expect(try Socket.pull(peer)?.count == 70_000)
    }

    @Test(arguments: [32, 104] as [Int32]) func aFailedSendEndsTheConnection(errno: Int32) throws {
        let wire = try Wire(limits)
        let (id, _) = try wire.connect()
        wire.faults.send = { _ in .failed(errno) }
        wire.table.send(id, bytes: [1])
        wire.turns(1)
        #expect(wire.driver.calls == [.opened(id), .closed(id, .failed(errno))])
    }

    @Test func aSendThatFailsWhileDrainingEndsTheConnection() throws {
        let wire = try Wire(limits)
        let (id, _) = try wire.connect()
        wire.faults.send = { _ in .wouldBlock }
        wire.table.send(id, bytes: [1])
        wire.turns(1)
        wire.faults.send = { _ in .failed(104) }
        wire.turn(until: { wire.driver.closed == [.failed(104)] })
    }

    @Test func closingWaitsForTheBacklog() throws {
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect()
        wire.faults.send = { _ in .wouldBlock }
        wire.table.send(id, wire.table.stage(frame))
        wire.turns(1)
        wire.table.send(id, bytes: [5])
        wire.table.close(id, .afterFlush)
        wire.table.send(id, bytes: [6])
        wire.turns(2)
        #expect(try Socket.pull(peer) == [])
        wire.faults.send = { _ in nil }
        wire.turns(4)
        #expect(try Socket.pull(peer) == frame.bytes + [5])
        #expect(try Socket.pull(peer) == nil)
    }

    /// Frames to many connections in random order and sizes, over sockets that take as much as they like: every stream is whole.
    @Test(arguments: 0..<8 as Range<UInt64>) func everyStreamArrivesComplete(seed: UInt64) throws {
        var random = SplitMix(seed)
        var roomy = ConnectionLimits()
        roomy.backlogBytes = 64 << 20
        let wire = try Wire(roomy)
        let pairs = try (0..<6).map { _ in try wire.connect(sendBuffer: 8_192) }
        var expected: [[UInt8]] = Array(repeating: [], count: 6)
        var got = expected
        var faultDice = SplitMix(seed &+ 1_000)
        wire.faults.send = { count in
            switch faultDice.next() % 6 {
            case 0: .wouldBlock
            case 1: .bytes(Int(faultDice.next() % UInt64(count)) + 1)
            default: nil
            }
        }
        for _ in 0..<60 {
            for _ in 0..<random.next() % 8 {
                let size = random.next() % 15 == 0 ? 30_000 : Int(random.next() % 400) + 1
                let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: size)
                if random.next() % 2 == 0 {
                    let staged = wire.table.stage(Payload(bytes))
                    for index in pairs.indices where random.next() % 3 > 0 {
                        wire.table.send(pairs[index].id, staged)
                        expected[index] += bytes
                    }
                } else {
                    let index = Int(random.next() % 6)
                    wire.table.send(pairs[index].id, bytes: bytes)
                    expected[index] += bytes
                }
            }
            wire.turns(1)
            for index in pairs.indices where random.next() % 3 == 0 { got[index] += try Socket.pull(pairs[index].peer) ?? [] }
        }
        try wire.turn(until: {
            for index in pairs.indices { got[index] += try Socket.pull(pairs[index].peer) ?? [] }
            wire.loop.handle.wake()
            return zip(got, expected).allSatisfy { $0.count == $1.count }
        })
        #expect(got == expected)
        #expect(pairs.allSatisfy { wire.table.backlogBytes($0.id) == 0 })
    }
}

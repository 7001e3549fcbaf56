import HangGuard
import Linux
import Testing

@testable import Reactor

@Suite(.guarded) struct ConnectionTests {
    @Test func bytesAreEchoedUnchanged() throws {
        let wire = try Wire(listens: true)
        wire.driver.reaction = { [unowned wire] call in
            if case .received(let id, let bytes) = call { wire.table.send(id, bytes: bytes) }
        }
        let client = try wire.client()
        let sent = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var pushed = 0
        var back: [UInt8] = []
        try wire.turn(until: {
            if pushed < sent.count { pushed += Socket.push(client, Array(sent[pushed...])) }
            back += try Socket.pull(client) ?? []
            wire.loop.handle.wake()
            return back.count == sent.count
        })
        #expect(back == sent)
        #expect(wire.table.statistics.bytesIn == 200_000)
        #expect(wire.table.statistics.bytesOut == 200_000)
    }

    @Test func framesOfATurnAreSentInOneCall() throws {
        let wire = try Wire()
        let pairs = try (0..<10).map { _ in try wire.connect() }
        for number in 0..<20 as Range<UInt8> {
            let frame = wire.table.stage(Payload([number, number]))
            for pair in pairs { wire.table.send(pair.id, frame) }
        }
        wire.turns(1)
        #expect(wire.table.statistics.sends == 10)
        for pair in pairs { #expect(try Socket.pull(pair.peer) == (0..<20).flatMap { [$0, $0] }) }
    }

    @Test func largeAndSmallFramesKeepTheirOrder() throws {
        let wire = try Wire()
        let (id, peer) = try wire.connect()
        let large = [UInt8](repeating: 9, count: 40_000)
        wire.table.send(id, bytes: [1])
        wire.table.send(id, wire.table.stage(Payload(large)))
        wire.table.send(id, bytes: [2])
        wire.table.send(id, copying: [3, 4].span)
        var got: [UInt8] = []
        try wire.turn(until: {
            got += try Socket.pull(peer) ?? []
            wire.loop.handle.wake()
            return got.count == 40_004
        })
        #expect(got == [1] + large + [2, 3, 4])
    }

    @Test func framesFromATurnEndHookAreSentInThatTurn() throws {
        let wire = try Wire()
        let (id, peer) = try wire.connect()
        wire.loop.atTurnEnd { [unowned wire] in wire.table.send(id, bytes: [7]) }
        wire.turns(1)
        #expect(try Socket.pull(peer) == [7])
    }

    @Test func twoTablesShareALoop() throws {
        let wire = try Wire()
        let other = Recorder()
        let table = ConnectionTable(loop: wire.loop, limits: ConnectionLimits(), driver: other)
        let (own, peer) = try Socket.pair()
        defer { Socket.close(peer) }
        let id = try #require(table.adopt(own, peer: .local))
        let pair = try wire.connect()
        _ = Socket.push(peer, [1])
        _ = Socket.push(pair.peer, [2])
        wire.turn(until: { other.calls.count == 2 && wire.driver.calls.count == 2 })
        #expect(other.calls == [.opened(id), .received(id, [1])])
        #expect(wire.driver.received(pair.id) == [2])
    }

    // MARK: Identity

    @Test func aStaleIdReachesNoConnection() throws {
        let wire = try Wire()
        let first = try wire.connect()
        wire.table.close(first.id, .now)
        wire.turns(1)
        let second = try wire.connect()
        #expect(second.id.slot == first.id.slot)
        #expect(second.id.generation != first.id.generation)
        wire.table.send(first.id, bytes: [1])
        wire.table.close(first.id, .now)
        wire.table.pauseReading(first.id)
        wire.table.setDeadline(first.id, after: .zero)
        wire.turns(3)
        #expect(try Socket.pull(second.peer) == [])
        _ = Socket.push(second.peer, [5])
        wire.turn(until: { wire.driver.received(second.id) == [5] })
        #expect(wire.driver.closed.count == 1)
    }

    @Test func anEventOfAClosedConnectionDoesNotReachTheNextOneInItsSlot() throws {
        let wire = try Wire()
        let old = try wire.connect()
        wire.table.close(old.id, .now)
        let token = wire.table.store.token(Int(old.id.slot))
        wire.turns(1)
        let new = try wire.connect()
        #expect(new.id.slot == old.id.slot)
        wire.driver.forget()
        // As if it had waited in the batch under way.
        wire.table.ready(token, [.readable, .hangup])
        wire.turns(1)
        #expect(wire.driver.calls == [])
    }

    @Test func theSlotIsReservedUntilTheDriverIsToldOfTheClose() throws {
        let wire = try Wire()
        let first = try wire.connect()
        var opened: ConnectionID?
        wire.driver.reaction = { [unowned wire] call in
            if case .closed = call, let (own, peer) = try? Socket.pair() {
                opened = wire.table.adopt(own, peer: .local)
                Socket.close(peer)
            }
        }
        wire.table.close(first.id, .now)
        wire.turns(1)
        #expect(opened != nil && opened?.slot != first.id.slot)
    }

    // MARK: Ends

    @Test func halfCloseLeavesTheOtherDirectionOpen() throws {
        let wire = try Wire()
        let (id, peer) = try wire.connect()
        _ = Socket.push(peer, [1])
        Socket.shutdownWrite(peer)
        wire.turn(until: { wire.driver.calls.contains(.peerClosed(id)) })
        #expect(wire.driver.calls == [.opened(id), .received(id, [1]), .peerClosed(id)])
        wire.table.send(id, bytes: [2])
        wire.turns(3)
        #expect(try Socket.pull(peer) == [2])
        #expect(wire.driver.closed.isEmpty)
        wire.hangUp(peer)
        wire.turn(until: { wire.driver.closed == [.ended] })
    }

    @Test func closedComesOnceAndNeverFromInsideAnotherCall() throws {
        let wire = try Wire()
        wire.driver.reaction = { [unowned wire] call in
            switch call {
            case .received(let id, _):
                wire.table.close(id, .now)
                wire.table.close(id, .now)
                wire.table.send(id, bytes: [1])
                wire.table.flush()
            case .closed(let id, _): wire.table.close(id, .now)
            case .opened, .peerClosed, .drained, .deadline: break
            }
        }
        let pairs = try (0..<3).map { _ in try wire.connect() }
        for pair in pairs { _ = Socket.push(pair.peer, [1]) }
        wire.turn(until: { wire.table.count == 0 })
        wire.turns(3)
        #expect(wire.driver.closed == [.closed, .closed, .closed])
        #expect(!wire.driver.wasReentered)
    }

    @Test func framesSentInTheClosedCallbackAreSentInThatTurn() throws {
        let wire = try Wire()
        let (leaver, _) = try wire.connect()
        let (stayer, peer) = try wire.connect()
        wire.driver.reaction = { [unowned wire] call in
            if case .closed(leaver, _) = call {
                wire.table.send(stayer, bytes: [8])
                wire.table.close(stayer, .afterFlush)
            }
        }
        wire.table.close(leaver, .now)
        wire.turns(1)
        #expect(try Socket.pull(peer) == [8])
        #expect(try Socket.pull(peer) == nil)
    }

    @Test func aConnectionMayBeClosedWhenItOpens() throws {
        let wire = try Wire(listens: true)
        wire.driver.reaction = { [unowned wire] call in
            if case .opened(let id) = call { wire.table.close(id, .now) }
        }
        let client = try wire.client()
        wire.turn(until: { wire.driver.closed == [.closed] })
        #expect(try Socket.pull(client) == nil)
    }

    @Test func theLastFrameArrivesDespiteUnreadInputAtTheClose() throws {
        let wire = try Wire(listens: true)
        let client = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        let id = wire.driver.opened[0]
        wire.table.pauseReading(id)
        // Unread bytes would make the kernel answer a plain close with a reset, and the frame would be lost.
        let noise = [UInt8](repeating: 1, count: 10_000)
        _ = Socket.push(client, noise)
        wire.table.send(id, bytes: [42])
        wire.table.close(id, .afterFlush)
        wire.turns(5)
        #expect(try Socket.pull(client) == [42])
        #expect(try Socket.pull(client) == nil)
        #expect(wire.driver.closed.isEmpty)
        #expect(wire.driver.received(id).isEmpty)
        wire.hangUp(client)
        wire.turn(until: { wire.driver.closed == [.closed] })
    }

    @Test func closingWaitsForThePeerNoLongerThanTheLingerTime() throws {
        var limits = ConnectionLimits()
        limits.linger = .milliseconds(30)
        let wire = try Wire(limits)
        let (id, peer) = try wire.connect()
        wire.table.close(id, .afterFlush)
        wire.turns(1)
        #expect(wire.table.count == 1)
        wire.turn(until: { wire.driver.closed == [.closed] })
        #expect(try Socket.pull(peer) == nil)
    }

    @Test func closingDoesNotWaitForAPeerThatDoesNotRead() throws {
        var limits = ConnectionLimits()
        limits.linger = .milliseconds(30)
        let wire = try Wire(limits)
        let (id, _) = try wire.connect(sendBuffer: 4_096)
        wire.table.send(id, bytes: [UInt8](repeating: 1, count: 1_000_000))
        wire.table.setDeadline(id, after: .seconds(3_600))
        wire.table.close(id, .afterFlush)
        wire.turn(until: { wire.driver.closed == [.closed] })
        #expect(!wire.driver.calls.contains(.deadline(id)))
    }

    @Test func theDriverGetsNoEventsOfAConnectionItCloses() throws {
        let wire = try Wire()
        let (id, peer) = try wire.connect()
        wire.table.setDeadline(id, after: .milliseconds(10))
        wire.table.close(id, .afterFlush)
        wire.table.setDeadline(id, after: .milliseconds(10))
        _ = Socket.push(peer, [1, 2, 3])
        wire.turns(2)
        Socket.shutdownWrite(peer)
        wire.turn(until: { wire.table.count == 0 })
        #expect(wire.driver.calls == [.opened(id), .closed(id, .closed)])
    }

    @Test func aResetByThePeerIsAFailure() throws {
        let wire = try Wire(listens: true)
        let client = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        Socket.setResetOnClose(client)
        wire.hangUp(client)
        wire.turn(until: { wire.driver.closed == [.failed(104)] })
    }

    @Test func aPausedConnectionWhosePeerVanishedDoesNotKeepTheLoopBusy() throws {
        let wire = try Wire(listens: true)
        let client = try wire.client()
        wire.turn(until: { wire.table.count == 1 })
        wire.table.pauseReading(wire.driver.opened[0])
        Socket.setResetOnClose(client)
        wire.hangUp(client)
        wire.turn(until: { wire.driver.closed.count == 1 })
    }

    // MARK: Reading

    @Test func aPausedConnectionIsReadLater() throws {
        let wire = try Wire()
        let (id, peer) = try wire.connect()
        wire.table.pauseReading(id)
        _ = Socket.push(peer, [1])
        wire.turns(3)
        #expect(wire.driver.received(id).isEmpty)
        wire.table.resumeReading(id)
        wire.turn(until: { wire.driver.received(id) == [1] })
    }

    @Test func oneConnectionIsReadAtMostABufferPerTurn() throws {
        var limits = ConnectionLimits()
        limits.receiveBytes = 100
        let wire = try Wire(limits)
        let (busy, busyPeer) = try wire.connect()
        let (quiet, quietPeer) = try wire.connect()
        _ = Socket.push(busyPeer, [UInt8](repeating: 1, count: 1_000))
        _ = Socket.push(quietPeer, [2])
        wire.turns(1)
        #expect(wire.driver.received(busy).count == 100)
        #expect(wire.driver.received(quiet) == [2])
        wire.turn(until: { wire.driver.received(busy).count == 1_000 })
    }

    // MARK: Deadlines

    @Test func aDeadlinePassesOnceAndNotEarly() throws {
        let wire = try Wire()
        let (id, _) = try wire.connect()
        let start = wire.loop.now
        wire.table.setDeadline(id, after: .milliseconds(20))
        wire.turn(until: { wire.driver.calls.contains(.deadline(id)) })
        #expect(wire.loop.now - start >= .milliseconds(20))
        var over = false
        wire.loop.after(.milliseconds(40)) { over = true }
        wire.turn(until: { over })
        #expect(wire.driver.calls == [.opened(id), .deadline(id)])
    }

    @Test func aDeadlineCanBePostponedBroughtForwardAndCancelled() throws {
        let wire = try Wire()
        let pushed = try wire.connect().id
        let forward = try wire.connect().id
        let taken = try wire.connect().id
        wire.table.setDeadline(pushed, after: .milliseconds(10))
        wire.table.setDeadline(pushed, after: .milliseconds(60))
        wire.table.setDeadline(forward, after: .seconds(3_600))
        wire.table.setDeadline(forward, after: .milliseconds(20))
        wire.table.setDeadline(taken, after: .milliseconds(10))
        wire.table.setDeadline(taken, after: nil)
        wire.turn(until: { wire.driver.calls.contains(.deadline(pushed)) })
        #expect(wire.driver.calls.suffix(2) == [.deadline(forward), .deadline(pushed)])
        #expect(!wire.driver.calls.contains(.deadline(taken)))
    }

    @Test func aDeadlineCancelledByAnotherOneDoesNotPass() throws {
        let wire = try Wire()
        let ids = try (0..<2).map { _ in try wire.connect().id }
        wire.driver.reaction = { [unowned wire] call in
            if case .deadline(let id) = call { for other in ids where other != id { wire.table.setDeadline(other, after: nil) } }
        }
        for id in ids { wire.table.setDeadline(id, after: .milliseconds(10)) }
        var over = false
        wire.loop.after(.milliseconds(40)) { over = true }
        wire.turn(until: { over })
        #expect(wire.driver.calls.filter { if case .deadline = $0 { true } else { false } }.count == 1)
    }

    @Test func aDeadlineSetInsideItsOwnCallPassesAgain() throws {
        let wire = try Wire()
        let (id, _) = try wire.connect()
        var times = 0
        wire.driver.reaction = { [unowned wire] call in
            if case .deadline(let id) = call {
                times += 1
                wire.table.setDeadline(id, after: .zero)
            }
        }
        wire.table.setDeadline(id, after: .zero)
        wire.turn(until: { times == 3 })
    }

    @Test func theDeadlineOfAClosedConnectionIsNotItsSuccessors() throws {
        let wire = try Wire()
        let old = try wire.connect().id
        wire.table.setDeadline(old, after: .milliseconds(10))
        wire.table.close(old, .now)
        wire.turns(1)
        let new = try wire.connect().id
        #expect(new.slot == old.slot)
        var over = false
        wire.loop.after(.milliseconds(40)) { over = true }
        wire.turn(until: { over })
        #expect(!wire.driver.calls.contains { if case .deadline = $0 { true } else { false } })
    }
}

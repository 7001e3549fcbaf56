import HangGuard
import Linux
import Testing

@testable import Reactor

@Suite("A loop's signs of life", .timeLimit(.minutes(1)), .guarded)
struct HeartbeatTests {
    @Test("a loop with nothing to do stamps all the same")
    func idleLoop() throws {
        let loop = try EventLoop(name: "test")
        loop.handle.heartbeat.stamp(MonotonicInstant(nanoseconds: 0))
        loop.turn()
        let before = loop.now
        #expect(loop.handle.heartbeat.silence(at: before) == .zero)
        // Nothing wakes it: it waits for the next stamp.
        loop.turn()
        #expect(loop.now - before <= .seconds(30))
        #expect(loop.handle.heartbeat.silence(at: loop.now) == .zero)
    }

    @Test("a timer that is due later does not delay the stamp, and one that is due earlier is not delayed")
    func timers() throws {
        let loop = try EventLoop(name: "test")
        var ran = false
        loop.after(.seconds(3_000)) {}
        loop.turn()
        loop.after(.milliseconds(20)) { ran = true }
        let before = loop.now
        while !ran { loop.turn() }
        #expect(loop.now - before < .milliseconds(900))
    }

    @Test("a loop whose turn hangs is silent until the turn ends")
    func hangingTurn() throws {
        let loop = try EventLoop(name: "test")
        let handle = loop.handle
        let hangs = Locked(true)
        let isInTurn = Locked(false)
        let thread = try Thread.spawn(name: "test") {
            loop.after(.zero) {
                isInTurn.withLock { $0 = true }
                while hangs.withLock({ $0 }) { Thread.yield() }
            }
            loop.run()
        }
        while !isInTurn.withLock({ $0 }) { Thread.yield() }
        let began = MonotonicInstant.now
        #expect(handle.heartbeat.silence(at: began + .seconds(20)) >= .seconds(20), "no stamp since the turn began")
        hangs.withLock { $0 = false }
        while handle.heartbeat.silence(at: began) > .zero { Thread.yield() }
        handle.stop()
        thread.join()
    }
}

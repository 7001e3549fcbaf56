import HangGuard
import Linux
import Reactor
import Testing

@testable import Transports

@Suite("The wait for a pong", .guarded)
struct PongWaitTests {
    private let timeout = Duration.seconds(2)

    /// Whether the wait goes on with what the window is at that second.
    private func goesOn(_ wait: inout PongWait, _ window: PeerWindow?, at seconds: Int64) -> Bool {
        wait.goesOn(with: window, at: instant(seconds), for: timeout)
    }

    private func instant(_ seconds: Int64) -> MonotonicInstant { MonotonicInstant(nanoseconds: seconds * 1_000_000_000) }
    private func window(_ end: UInt64, step: UInt32 = 128) -> PeerWindow {
        PeerWindow(acknowledged: 0, end: end, step: step, isAllAcknowledged: false)
    }

    @Test("it goes on for a peer whose window moves, and ends for one that stopped")
    func moves() {
        var wait = PongWait(window(100_000), read: 0, at: instant(10), for: timeout)
        #expect(wait.until == instant(12))
        #expect(goesOn(&wait, window(180_000), at: 12))
        #expect(wait.until == instant(14))
        #expect(!goesOn(&wait, window(180_000), at: 14))
        #expect(wait.until == instant(14))
    }

    @Test("what only arrives does not move it far enough", arguments: [(UInt64(0), false), (2_047, false), (2_048, true)])
    func rounding(moved: UInt64, isEnough: Bool) {
        var wait = PongWait(window(5_000), read: 0, at: instant(0), for: timeout)
        #expect(goesOn(&wait, window(5_000 + moved), at: 2) == isEnough)
    }

    @Test("a window told in large steps moves by one at least", arguments: [(UInt64(16_383), false), (16_384, true)])
    func step(moved: UInt64, isEnough: Bool) {
        var wait = PongWait(window(0, step: 1 << 14), read: 0, at: instant(0), for: timeout)
        #expect(goesOn(&wait, window(moved, step: 1 << 14), at: 2) == isEnough)
    }

    @Test("a window that went back, or is not known, ends it")
    func back() {
        var wait = PongWait(window(50_000), read: 0, at: instant(0), for: timeout)
        #expect(!goesOn(&wait, window(40_000), at: 2))
        #expect(!goesOn(&wait, nil, at: 2))
    }

    @Test("it ends after twenty times, whatever the peer announces")
    func bounded() {
        var wait = PongWait(window(0), read: 0, at: instant(0), for: timeout)
        for times in 1...19 {
            #expect(goesOn(&wait, window(UInt64(times) * 100_000), at: Int64(times) * 2))
        }
        #expect(wait.until == instant(40))
        #expect(!goesOn(&wait, window(10_000_000), at: 40))
    }

    @Test(
        "a client whose kernel took everything gets the time in which it reads that at 32 KiB/s",
        arguments: [UInt64(0), UInt64(UInt32.max)])
    func held(before: UInt64) {
        func taken(_ bytes: UInt64, all: Bool = true) -> PeerWindow {
            PeerWindow(acknowledged: before + bytes, end: before + 3_000_000, step: 128, isAllAcknowledged: all)
        }
        let read = UInt32(truncatingIfNeeded: before)
        var wait = PongWait(taken(300_000), read: read, at: instant(0), for: timeout)
        for at: Int64 in [2, 4, 6, 8] { #expect(goesOn(&wait, taken(300_002), at: at)) }
        #expect(!goesOn(&wait, taken(300_002), at: 10))
        var gone = PongWait(taken(300_000), read: read, at: instant(0), for: timeout)
        #expect(!goesOn(&gone, taken(300_000, all: false), at: 2), "the ping has not arrived")
        var idle = PongWait(taken(300_000), read: read &+ 299_000, at: instant(0), for: timeout)
        #expect(!goesOn(&idle, taken(300_002), at: 2), "it had read nearly all of it when it answered the ping before")
    }

    @Test("a client has read what was acknowledged before the ping that it answers; a command alone says nothing")
    func hears() {
        let endpoint = WebSocketEndpoint(id: ConnectionID(slot: 1, generation: 1), now: instant(0))
        let window = PeerWindow(acknowledged: 70_000, end: 90_000, step: 1, isAllAcknowledged: true)
        endpoint.liveness = .awaitsPong(PongWait(window, read: 0, at: instant(1), for: timeout))
        endpoint.hear(instant(2))
        endpoint.hear(instant(3))
        guard case .heard(instant(3), read: 0, pinged: 70_000) = endpoint.liveness else {
            Issue.record("\(endpoint.liveness)")
            return
        }
        endpoint.hearPong()
        guard case .heard(instant(3), read: 70_000, pinged: 70_000) = endpoint.liveness else {
            Issue.record("\(endpoint.liveness)")
            return
        }
    }

    @Test("it needs no more memory for each WebSocket than its padding had room for")
    func size() {
        #expect(MemoryLayout<WebSocketEndpoint.Liveness>.size <= 22)
    }
}

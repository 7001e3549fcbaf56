import Testing

@testable import Linux
@testable import Reactor

@Suite struct LinuxTests {
    @Test func monotonicTimeGoesForward() {
        let first = MonotonicInstant.now
        #expect(MonotonicInstant.now >= first)
        #expect((first + .milliseconds(5)) - first == .milliseconds(5))
        #expect(first < first + .nanoseconds(1))
    }

    @Test func aChildsEndIsItsExitCode() throws {
        #expect(try Process.run(["sh", "-c", "exit 7"]) == 7)
        let sleeper = try Process.spawn(["sleep", "1000"])
        #expect(try sleeper.exitStatus() == nil)
        sleeper.kill(.terminate)
        #expect(try sleeper.wait() == 128 + Signals.Signal.terminate.rawValue)
    }

    @Test func aProgramThatIsNotThereIsAnError() {
        #expect(throws: SystemError(call: "start no-such-program", errno: SystemError.notFound)) {
            try Process.spawn(["no-such-program"])
        }
    }

    @Test func aChildHasNoSignalBlocked() throws {
        // This thread blocks what the hub blocks; the child must still hear a terminal's Ctrl-C.
        let thread = try Thread.spawn(name: "blocker") {
            Signals.block()
            let ended = try? Process.run(["sh", "-c", "grep -q '^SigBlk:[[:space:]]*0*$' /proc/self/status"])
            #expect(ended == 0)
        }
        thread.join()
    }

    @Test func aThreadCarriesItsName() throws {
        let thread = try Thread.spawn(name: "a-name-too-long-for-the-kernel") {
            let name = try? Files.text("/proc/thread-self/comm")
            #expect(name == "a-name-too-long\n")
        }
        thread.join()
    }

    @Test func aWriteToAVanishedPeerIsAnErrorAndNoSignal() throws {
        let (own, peer) = try Socket.pair()
        defer { Socket.close(own) }
        Socket.close(peer)
        #expect(Socket.send(own, [1].span) == .failed(32))
    }

    @Test func bytesAreAppendedWhole() {
        var bytes: [UInt8] = [1]
        Bytes.append([2, 3].span, to: &bytes)
        Bytes.append([UInt8]().span, to: &bytes)
        #expect(bytes == [1, 2, 3])
    }
}

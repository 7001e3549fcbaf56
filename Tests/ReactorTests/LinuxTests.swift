import Glibc
import HangGuard
import Testing

@testable import Linux
@testable import Reactor

@Suite(.guarded) struct LinuxTests {
    @Test func monotonicTimeGoesForward() {
        let first = MonotonicInstant.now
        #expect(MonotonicInstant.now >= first)
        #expect((first + .milliseconds(5)) - first == .milliseconds(5))
        #expect(first < first + .nanoseconds(1))
    }

    @Test func durationsBeyond64BitsOfNanosecondsKeepTheirSign() {
        #expect(Duration.seconds(-5).wholeNanoseconds == -5_000_000_000)
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max / 2)
        #expect(Duration.seconds(Int64.min / 2).wholeNanoseconds == .min / 2)
    }

    @Test func theExitCodeOfAChildIsReported() throws {
        #expect(try Process.run(["sh", "-c", "exit 7"]) == 7)
        let sleeper = try Process.spawn(["sleep", "1000"])
        #expect(try sleeper.exitStatus() == nil)
        sleeper.kill(.terminate)
        #expect(try sleeper.wait() == 128 + Signals.Signal.terminate.rawValue)
    }

    @Test func aMissingProgramIsAnError() {
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

    @Test func aChildInheritsNoDescriptorOfALibrary() throws {
        // Open for every child: what libraries open often is.
        let library = dup(1)
        defer { close(library) }
        #expect(try Process.run(["sh", "-c", "test -e /proc/self/fd/1 -a ! -e /proc/self/fd/\(library)"]) == 0)
    }

    @Test func aThreadHasItsName() throws {
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

    @Test func aConnectionUsesTheGivenSourceAddress() throws {
        let listener = try Socket.listen(host: "127.0.0.1", port: 0, reusePort: false)
        defer { Socket.close(listener) }
        let fd = try Socket.beginConnect(host: "127.0.0.1", port: try Socket.localPort(listener), from: "127.0.0.77")
        defer { Socket.close(fd) }
        #expect(try Socket.wait(fd, readable: false, timeout: .seconds(5)))
        #expect(Socket.connectFailure(fd) == nil)
        #expect(Socket.isNoDelay(fd))
        guard case .connection(let accepted, let peer) = Socket.accept(listener) else {
            Issue.record("nobody came")
            return
        }
        Socket.close(accepted)
        #expect(peer.description.hasPrefix("127.0.0.77:"))
    }

    @Test func aRefusedConnectionIsReported() throws {
        // A port that was free a moment ago may be another test's by now; nobody listens at this one.
        let fd: Int32
        do { fd = try Socket.beginConnect(host: "127.0.0.1", port: 1, from: nil) } catch {
            #expect(error.errno == 111)
            return
        }
        defer { Socket.close(fd) }
        #expect(try Socket.wait(fd, readable: false, timeout: .seconds(5)))
        #expect(Socket.connectFailure(fd)?.errno == 111)
    }

    @Test func aPollerWaitsToTheNanosecond() throws {
        let poller = try Poller()
        let wake = try WakeDescriptor()
        try poller.add(wake.descriptor, .readable, token: 5)
        let start = MonotonicInstant.now
        #expect(try poller.wait(for: .microseconds(200)) == 0)
        #expect(MonotonicInstant.now - start >= .microseconds(200))
        wake.signal()
        #expect(try poller.wait(for: .seconds(5)) == 1)
        #expect(poller.event(0).token == 5)
    }

    @Test func aChildCommunicatesThroughItsChannel() throws {
        let (own, childs) = try Socket.pair()
        defer { Socket.close(own) }
        var options = Process.Options()
        options.channel = childs
        // Before it looks: the descriptors do not wait.
        #expect(Socket.send(own, Array("it\n".utf8).span) == .bytes(3))
        let child = try Process.spawn(["sh", "-c", "read -r word <&3; echo \"heard $word\" >&3"], options)
        Socket.close(childs)
        #expect(try child.wait() == 0)
        var buffer = [UInt8](repeating: 0, count: 64)
        var span = buffer.mutableSpan
        #expect(Socket.receive(own, into: &span) == .bytes(9))
        #expect(String(decoding: buffer[..<9], as: UTF8.self) == "heard it\n")
    }

    @Test func aPinnedThreadHasOneProcessor() throws {
        let thread = try Thread.spawn(name: "pinned") {
            guard let allowed = Self.firstProcessor() else { return }
            #expect(throws: Never.self) { try Process.pin(0, to: allowed) }
            #expect(Machine.processors == 1)
        }
        thread.join()
        #expect(throws: SystemError.self) { try Process.pin(0, to: -1) }
    }

    private static func firstProcessor() -> Int? {
        let status = (try? Files.text("/proc/thread-self/status")) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        return line?.split(separator: "\t").last?.split { $0 == "-" || $0 == "," }.first.flatMap { Int($0) }
    }
}

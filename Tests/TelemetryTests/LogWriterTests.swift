import HangGuard
import Linux
import Testing

@testable import Telemetry

@Suite("The log's own thread", .timeLimit(.minutes(1)), .guarded)
struct LogWriterTests {
    /// A log whose reader reads when the test says so.
    private final class Reader {
        let metrics = LogMetrics()
        let writer: LogWriter
        private let own: Int32
        private let end: Int32
        private var isOpen = true
        private(set) var heard = ""

        init(capacityBytes: Int = 4_096, buffer: Int32? = nil) throws {
            // A write to a closed pipe must be an error, not a signal.
            try Thread.spawn(name: "signals") { Signals.block() }.join()
            (own, end) = try Socket.pair()
            if let buffer { Socket.setSendBuffer(end, bytes: buffer) }
            writer = try LogWriter(to: end, capacityBytes: capacityBytes, metrics: metrics) { "missing=\($0)" }
        }

        deinit {
            leave()
            Socket.close(end)
        }

        /// Reads what is there.
        func read() {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                var span = buffer.mutableSpan
                guard case .bytes(let count) = Socket.receive(own, into: &span) else { return }
                heard += String(decoding: buffer[..<count], as: UTF8.self)
            }
        }

        /// The numbers of lines that the log has told to be missing.
        var missing: [Int] {
            heard.split(separator: "\n").filter { $0.hasPrefix("missing=") }.compactMap { Int($0.dropFirst("missing=".count)) }
        }

        func leave() {
            if isOpen { Socket.close(own) }
            isOpen = false
        }
    }

    @Test("lines arrive whole and in order")
    func order() async throws {
        let reader = try Reader()
        for number in 0..<50 { reader.writer.write("line=\(number)") }
        #expect(reader.writer.finish(within: .seconds(20)))
        reader.read()
        #expect(reader.heard == (0..<50).map { "line=\($0)\n" }.joined())
        #expect(reader.metrics.dropped.value == 0)
    }

    @Test("a reader that does not read makes no writer wait; what is missing is told when it reads again")
    func stalledReader() async throws {
        let reader = try Reader(buffer: 4_096)
        let line = String(repeating: "x", count: 99)
        var written = 0
        while reader.metrics.dropped.value < 10 {
            reader.writer.write(line)
            written += 1
        }
        let dropped = Int(reader.metrics.dropped.value)
        // The log may have written in the middle of this; it then tells in parts.
        while reader.missing.reduce(0, +) < dropped { reader.read() }
        #expect(reader.missing.reduce(0, +) == dropped)
        #expect(reader.heard.hasSuffix("\(line)\nmissing=\(try #require(reader.missing.last))\n"))
        #expect(reader.heard.split(separator: "\n").count == written - dropped + reader.missing.count)
        reader.writer.write("again")
        #expect(reader.writer.finish(within: .seconds(20)))
        reader.read()
        #expect(reader.heard.hasSuffix("\nagain\n"))
    }

    @Test("the end waits for a reader that does not read, but not longer than it may")
    func boundedEnd() async throws {
        let reader = try Reader(capacityBytes: 1 << 20, buffer: 4_096)
        reader.writer.write(String(repeating: "x", count: 1 << 19))
        #expect(!reader.writer.finish(within: .milliseconds(20)))
        reader.writer.write("late")
        #expect(reader.metrics.dropped.value == 1)
        #expect(reader.writer.finish(within: .seconds(20)), "the second call does nothing")
        // The thread that was left behind still writes.
        while !reader.heard.hasSuffix("x\nmissing=1\n") { reader.read() }
    }

    @Test("lines for a reader that is gone are counted as dropped")
    func readerGone() async throws {
        let reader = try Reader()
        reader.leave()
        reader.writer.write("one")
        #expect(reader.writer.finish(within: .seconds(20)))
        #expect(reader.metrics.dropped.value == 1)
    }
}

package import Linux

/// Writes log lines to a descriptor, on a thread of its own: a reader that has stopped reading makes no other thread wait.
///
/// Lines wait in a bounded buffer. When it is full, new lines are dropped and counted. As soon as lines can be written again, the log
/// says how many are missing.
package final class LogWriter: Sendable {
    private let buffer: LogBuffer
    private let thread: Thread

    /// - Parameters:
    ///   - capacityBytes: the most that waits. As much again may be on its way to the reader.
    ///   - missing: the line that tells how many lines were dropped.
    package init(
        to descriptor: Int32, capacityBytes: Int = 1 << 20, metrics: LogMetrics = LogMetrics(),
        missing: @escaping @Sendable (UInt64) -> String
    ) throws(SystemError) {
        let buffer = LogBuffer(capacityBytes: capacityBytes, metrics: metrics, wake: try WakeDescriptor())
        self.buffer = buffer
        thread = try Thread.spawn(name: "log") { buffer.write(to: descriptor, missing: missing) }
    }

    /// Takes a line without its end, from any thread. Never waits.
    package func write(_ line: String) { buffer.append(line) }

    /// Writes what is left and ends. Lines that come later are dropped.
    /// - Returns: false when the reader did not take everything in time; the rest is then lost.
    package func finish(within limit: Duration) -> Bool {
        guard buffer.end() else { return true }
        return thread.join(within: limit)
    }
}

/// What the log counts.
package final class LogMetrics: MetricsGroup {
    package let dropped = Counter(
        "hub_log_lines_dropped_total", "Log lines dropped because the reader of the hub's stderr did not read, or is gone.")
    package init() {}
}

private final class LogBuffer: Sendable {
    private struct Waiting {
        var bytes: [UInt8] = []
        /// Dropped since the log last told how many.
        var dropped: UInt64 = 0
        var isEnding = false
    }

    private let waiting = Locked(Waiting())
    private let capacityBytes: Int
    private let metrics: LogMetrics
    private let wake: WakeDescriptor

    init(capacityBytes: Int, metrics: LogMetrics, wake: WakeDescriptor) {
        self.capacityBytes = capacityBytes
        self.metrics = metrics
        self.wake = wake
    }

    func append(_ line: String) {
        let line = Array((line + "\n").utf8)
        let isFirst: Bool? = waiting.withLock { waiting in
            guard !waiting.isEnding, line.count <= capacityBytes - waiting.bytes.count else {
                waiting.dropped += 1
                return nil
            }
            waiting.bytes += line
            return waiting.bytes.count == line.count
        }
        guard let isFirst else { return metrics.dropped.add() }
        if isFirst { wake.signal() }
    }

    /// False when it was called before.
    func end() -> Bool {
        let isFirst = waiting.withLock { waiting in
            defer { waiting.isEnding = true }
            return !waiting.isEnding
        }
        wake.signal()
        return isFirst
    }

    /// Writes until the end, and until it has told of every line that was dropped before it could end.
    func write(to descriptor: Int32, missing: (UInt64) -> String) {
        while true {
            _ = try? Socket.wait(wake.descriptor, readable: true, timeout: .seconds(3_600))
            // Cleared before the lines are taken: a later line signals again.
            wake.clear()
            var taken = take()
            repeat {
                var bytes = taken.bytes
                // These lines came after all that had waited.
                if taken.dropped > 0 { bytes += Array((missing(taken.dropped) + "\n").utf8) }
                do throws(SystemError) {
                    try Console.write(bytes, to: descriptor)
                } catch {
                    // The reader is gone.
                    let lost = UInt64(taken.bytes.count { $0 == UInt8(ascii: "\n") })
                    metrics.dropped.add(lost)
                    if taken.isEnding { return }
                    waiting.withLock { $0.dropped += lost + taken.dropped }
                }
                // Lines that came during the end were dropped, with no signal.
                if taken.isEnding {
                    taken = take()
                    if taken.dropped == 0 { return }
                }
            } while taken.isEnding
        }
    }

    private func take() -> Waiting {
        waiting.withLock { waiting in
            let taken = waiting
            waiting.bytes = []
            waiting.dropped = 0
            return taken
        }
    }
}

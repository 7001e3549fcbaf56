import CLinux

/// Signals as readable events. `block` before the first thread is started, so that all inherit it.
public final class Signals {
    public enum Signal: Int32, Sendable {
        case hangup = 1
        case interrupt = 2
        case kill = 9
        case terminate = 15
        case childEnded = 17
    }

    public let descriptor: Int32

    /// Blocks INT, TERM, HUP and CHLD in this thread and those it starts, and ignores PIPE.
    public static func block() { _ = clinux_block_signals() }

    public init() throws(SystemError) { descriptor = try SystemError.check("signalfd", clinux_signalfd()) }
    deinit { Socket.close(descriptor) }

    /// The next signal that arrived; nil when there is none.
    public func next() -> Signal? {
        let number = clinux_signal_read(descriptor)
        return number > 0 ? Signal(rawValue: number) : nil
    }
}

import Linux

/// The wait for the answer to a ping. The ping is behind everything that was sent before it, so a client that reads slowly answers late: the wait
/// goes on while the client can be seen to read, or may still be reading what its kernel took at once. Byte numbers are kept in 32 bits, and
/// only their differences count: tens of thousands of connections hold one.
struct PongWait: Equatable {
    private(set) var until: MonotonicInstant
    /// The right edge of the peer's window when this was last decided.
    private var windowEnd: UInt32
    /// Bytes that the client has read for certain: it has answered a ping behind them.
    let read: UInt32
    /// Bytes that the peer had acknowledged at the ping.
    let acknowledged: UInt32
    private var extensionsLeft = Self.extensions

    /// With the first wait five minutes by default: time for 10 MB at the steady reader's pace. A peer may widen its window without reading.
    static let extensions: UInt8 = 19
    /// Bytes a second by which a client that is seen to read moves its window at least. Small frames that only arrive move it a little, too.
    static let leastMove: Int64 = 1_024
    /// Bytes a second for which a client is given time where reading cannot be seen.
    static let steadyReader: Int64 = 32 * 1_024
    /// A kernel holds no more for a client. Linux: 6 MB, half of it for bookkeeping.
    static let heldBytes: UInt32 = 4 << 20

    init(_ window: PeerWindow?, read: UInt32, at now: MonotonicInstant, for timeout: Duration) {
        until = now + timeout
        windowEnd = UInt32(truncatingIfNeeded: window?.end ?? 0)
        acknowledged = UInt32(truncatingIfNeeded: window?.acknowledged ?? 0)
        self.read = read
    }

    /// Whether the client gets another `timeout`.
    mutating func goesOn(with window: PeerWindow?, at now: MonotonicInstant, for timeout: Duration) -> Bool {
        guard extensionsLeft > 0, let window else { return false }
        guard hasMoved(to: window, in: timeout) || mayStillRead(window, timeout) else { return false }
        extensionsLeft -= 1
        windowEnd = UInt32(truncatingIfNeeded: window.end)
        until = now + timeout
        return true
    }

    private func hasMoved(to window: PeerWindow, in timeout: Duration) -> Bool {
        let moved = Int32(truncatingIfNeeded: UInt32(truncatingIfNeeded: window.end) &- windowEnd)
        return Int64(moved) >= max(Int64(window.step), timeout.wholeNanoseconds / 1_000_000_000 * Self.leastMove)
    }

    /// A large receive buffer takes everything at once, and then the window need not move. A host that is gone acknowledges nothing, and a
    /// full buffer not everything.
    private func mayStillRead(_ window: PeerWindow, _ timeout: Duration) -> Bool {
        let held = min(UInt32(truncatingIfNeeded: window.acknowledged) &- read, Self.heldBytes)
        let waited = Int64(Self.extensions - extensionsLeft + 1) * (timeout.wholeNanoseconds / 1_000_000_000)
        return window.isAllAcknowledged && Int64(held) > waited * Self.steadyReader
    }
}

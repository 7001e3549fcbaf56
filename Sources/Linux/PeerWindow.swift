import CLinux

/// How many bytes a TCP peer has taken, and how many more it accepts.
public struct PeerWindow: Equatable, Sendable {
    /// Bytes that the peer's kernel has acknowledged, since the connection began.
    public let acknowledged: UInt64
    /// The right edge of its window. Bytes that only arrive move it by less than a step each; it goes further when the application reads.
    /// The window need not move as long as the window is small beside the receive buffer.
    public let end: UInt64
    /// The peer rounds its window up to a multiple of this.
    public let step: UInt32
    /// Nothing that was written to the socket is on its way.
    public let isAllAcknowledged: Bool

    public init(acknowledged: UInt64, end: UInt64, step: UInt32, isAllAcknowledged: Bool) {
        self.acknowledged = acknowledged
        self.end = end
        self.step = step
        self.isAllAcknowledged = isAllAcknowledged
    }
}

extension Socket {
    /// Nil for a socket that is not TCP.
    public static func peerWindow(_ fd: Int32) -> PeerWindow? {
        var window = clinux_peer_window()
        guard unsafe clinux_peer_window(fd, &window) >= 0 else { return nil }
        return PeerWindow(
            acknowledged: window.acknowledged, end: window.end, step: window.step, isAllAcknowledged: window.is_all_acknowledged != 0)
    }
}

import CLinux

/// Where a connection came from.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    public enum Family: UInt8, Sendable { case local, v4, v6 }
    public let family: Family
    /// Network order; an IPv4 address in the first four bytes.
    public let bytes: InlineArray<16, UInt8>
    public let port: UInt16

    public init(family: Family, bytes: InlineArray<16, UInt8>, port: UInt16) {
        self.family = family
        self.bytes = bytes
        self.port = port
    }

    /// The other end of a Unix socket.
    public static let local = PeerAddress(family: .local, bytes: InlineArray(repeating: 0), port: 0)

    public var description: String {
        switch family {
        case .local: "local"
        case .v4: "\(bytes[0]).\(bytes[1]).\(bytes[2]).\(bytes[3]):\(port)"
        case .v6:
            "["
                + stride(from: 0, to: 16, by: 2).map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }
                .joined(separator: ":") + "]:\(port)"
        }
    }

    public static func == (a: PeerAddress, b: PeerAddress) -> Bool {
        a.family == b.family && a.port == b.port && (0..<16).allSatisfy { a.bytes[$0] == b.bytes[$0] }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(family)
        hasher.combine(port)
        for i in 0..<16 { hasher.combine(bytes[i]) }
    }
}

/// Non-blocking stream sockets, by descriptor. The caller that makes or accepts a socket owns it and closes it once.
public enum Socket {
    public enum Accepted: Sendable {
        case connection(Int32, PeerAddress)
        /// No connection is waiting.
        case none
        case failed(SystemError)
    }

    public enum Transfer: Equatable, Sendable {
        case bytes(Int)
        case wouldBlock
        /// The peer sent its end; receive only.
        case ended
        case failed(Int32)

        /// What a send answered: bytes, or a negative errno.
        @inline(__always)
        init(sent: Int64) {
            if sent >= 0 {
                self = .bytes(Int(sent))
            } else {
                self = sent == -Int64(SystemError.wouldBlock) ? .wouldBlock : .failed(Int32(truncatingIfNeeded: -sent))
            }
        }
    }

    /// - Parameter host: a numeric address; names are not resolved.
    public static func listen(host: String, port: UInt16, reusePort: Bool, backlog: Int32 = 4_096) throws(SystemError) -> Int32 {
        try SystemError.check("listen on \(host):\(port)", unsafe clinux_listen(host, port, reusePort ? 1 : 0, backlog))
    }

    /// Fails when another socket listens there. Sockets that share a port (`SO_REUSEPORT`) also share it with another process of the same
    /// account, without an error: each would get some of the connections.
    public static func requireFree(host: String, port: UInt16) throws(SystemError) {
        guard port != 0 else { return }
        close(try listen(host: host, port: port, reusePort: false))
    }

    /// Waits up to `timeout` for the connection; the socket is non-blocking afterwards.
    public static func connect(host: String, port: UInt16, timeout: Duration) throws(SystemError) -> Int32 {
        try SystemError.check("connect to \(host):\(port)", unsafe clinux_connect(host, port, timeout.pollMilliseconds))
    }

    /// Begins to connect and does not wait. The socket becomes writable when the attempt has ended; then read `connectFailure`.
    /// Small writes go out at once.
    /// - Parameter source: the numeric address to come from: one address has about 28 000 ports for connections to one peer.
    public static func beginConnect(host: String, port: UInt16, from source: String?) throws(SystemError) -> Int32 {
        let answer = if let source { unsafe clinux_connect_begin(host, port, source) } else { unsafe clinux_connect_begin(host, port, nil) }
        return try SystemError.check("connect to \(host):\(port)", answer)
    }

    /// Why a connection attempt failed; nil when it succeeded.
    public static func connectFailure(_ fd: Int32) -> SystemError? {
        let error = clinux_socket_error(fd)
        return error == 0 ? nil : SystemError(call: "connect", errno: error)
    }

    public static func localPort(_ fd: Int32) throws(SystemError) -> UInt16 {
        UInt16(truncatingIfNeeded: try SystemError.check("getsockname", clinux_local_port(fd)))
    }

    public static func accept(_ listener: Int32) -> Accepted {
        var address = InlineArray<16, UInt8>(repeating: 0)
        var family: Int32 = 0
        var port: UInt16 = 0
        var span = address.mutableSpan
        let fd = unsafe span.withUnsafeMutableBufferPointer { unsafe clinux_accept(listener, $0.baseAddress, &family, &port) }
        if fd < 0 {
            return -fd == SystemError.wouldBlock ? .none : .failed(SystemError(call: "accept", errno: -fd))
        }
        return .connection(fd, PeerAddress(family: family == 4 ? .v4 : family == 6 ? .v6 : .local, bytes: address, port: port))
    }

    /// Small writes go out at once (TCP_NODELAY); so it is with every socket a listener of ours accepted.
    public static func isNoDelay(_ fd: Int32) -> Bool { clinux_is_nodelay(fd) > 0 }
    /// Bytes that the kernel keeps without having sent them; so it is with every socket a listener of ours accepted.
    public static func unsentBound(_ fd: Int32) -> Int32 { clinux_unsent_bound(fd) }
    public static func setSendBuffer(_ fd: Int32, bytes: Int32) { _ = clinux_set_send_buffer(fd, bytes) }
    /// Before connecting, where it bounds the window that is announced.
    public static func setReceiveBuffer(_ fd: Int32, bytes: Int32) { _ = clinux_set_receive_buffer(fd, bytes) }
    public static func setResetOnClose(_ fd: Int32) { _ = clinux_set_reset_on_close(fd) }
    public static func shutdownWrite(_ fd: Int32) { _ = clinux_shutdown_write(fd) }
    public static func close(_ fd: Int32) { _ = clinux_close(fd) }

    public static func pair() throws(SystemError) -> (Int32, Int32) {
        var fds: InlineArray<2, Int32> = [0, 0]
        var span = fds.mutableSpan
        try SystemError.check("socketpair", unsafe span.withUnsafeMutableBufferPointer { unsafe clinux_socketpair($0.baseAddress) })
        return (fds[0], fds[1])
    }

    @inline(__always)
    public static func receive(_ fd: Int32, into buffer: inout MutableSpan<UInt8>) -> Transfer {
        let got = unsafe buffer.withUnsafeMutableBufferPointer { unsafe clinux_receive(fd, $0.baseAddress, $0.count) }
        if got > 0 { return .bytes(Int(got)) }
        if got == 0 { return .ended }
        return got == -Int64(SystemError.wouldBlock) ? .wouldBlock : .failed(Int32(truncatingIfNeeded: -got))
    }

    @inline(__always)
    public static func send(_ fd: Int32, _ bytes: Span<UInt8>) -> Transfer {
        let sent = unsafe bytes.withUnsafeBufferPointer { unsafe clinux_send(fd, $0.baseAddress, $0.count) }
        return Transfer(sent: sent)
    }

    /// Waits for one descriptor; false when `timeout` passed first. For command-line clients, not for loops.
    public static func wait(_ fd: Int32, readable: Bool, timeout: Duration) throws(SystemError) -> Bool {
        let wanted = readable ? CLINUX_READABLE : CLINUX_WRITABLE
        return try SystemError.check("poll", clinux_poll(fd, UInt32(wanted), timeout.pollMilliseconds)) > 0
    }
}

extension Duration {
    /// For poll and epoll: rounded up, so that a deadline has passed when the wait ends.
    var pollMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        if seconds < 0 { return 0 }
        if seconds > 2_000_000 { return .max }
        return Int32(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

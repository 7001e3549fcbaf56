import Linux

/// Makes chosen socket calls fail, so that tests can reach what the kernel rarely does. nil: the real call is made.
final class SocketFaults {
    var accept: () -> Socket.Accepted? = { nil }
    var receive: () -> Socket.Transfer? = { nil }
    /// Given the bytes to be sent; `.bytes(n)`: only the first n are offered to the socket.
    var send: (Int) -> Socket.Transfer? = { _ in nil }
}

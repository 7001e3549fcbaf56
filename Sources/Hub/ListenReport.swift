import Linux

/// A loop's single report that it watches its listening socket, or of the error. The hub is not ready before every loop has reported.
final class ListenReport: Sendable {
    private let outcome = Locked<Result<Void, SystemError>?>(nil)

    func report(_ result: Result<Void, SystemError>) { outcome.withLock { $0 = result } }

    /// Blocks until the loop's thread has reported.
    func wait() throws(SystemError) {
        while true {
            if let result = outcome.withLock({ $0 }) { return try result.get() }
            Thread.pause(.milliseconds(1))
        }
    }
}

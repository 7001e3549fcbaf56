import Linux

/// What a loop's thread says once: that its socket is watched, or why not. Until then nobody may be told that the hub is ready.
final class ListenReport: Sendable {
    private let outcome = Locked<Result<Void, SystemError>?>(nil)

    func report(_ result: Result<Void, SystemError>) { outcome.withLock { $0 = result } }

    /// Blocks until it was said, which takes a thread as long as it takes to begin.
    func wait() throws(SystemError) {
        while true {
            if let result = outcome.withLock({ $0 }) { return try result.get() }
            Thread.pause(.milliseconds(1))
        }
    }
}

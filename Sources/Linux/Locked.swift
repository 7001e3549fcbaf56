import CLinux

/// A value behind a lock that is held briefly.
///
/// A pthread mutex and not Synchronization's Mutex, because that one is handed over inside the kernel when it is contended
/// (FUTEX_LOCK_PI), where the thread sanitizer does not see it: every contended use is reported as a race.
// @unchecked Sendable: `value` is touched only while `mutex` is held. @safe: the mutex is made with it, and freed with it.
@safe public final class Locked<Value: Sendable>: @unchecked Sendable {
    private let mutex: OpaquePointer
    private var value: Value

    public init(_ value: Value) {
        // Fails only when memory is exhausted.
        guard let mutex = unsafe clinux_mutex_make() else { preconditionFailure("no memory for a lock") }
        unsafe self.mutex = mutex
        self.value = value
    }

    deinit { unsafe clinux_mutex_free(mutex) }

    /// Never call out, and never lock another, inside.
    public func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe clinux_mutex_lock(mutex)
        defer { unsafe clinux_mutex_unlock(mutex) }
        return try body(&value)
    }
}

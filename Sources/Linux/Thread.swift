import CLinux

/// A kernel thread, named in `top` and debuggers.
public struct Thread: Sendable {
    private let id: UInt64

    /// Starts `body` on a new thread. Names are cut at 15 bytes.
    public static func spawn(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) -> Thread {
        let context = unsafe Unmanaged.passRetained(Body(body)).toOpaque()
        var id: UInt64 = 0
        let started = unsafe clinux_thread_start(
            name,
            { context in
                guard let context = unsafe context else { return }
                unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
            }, context, &id)
        if started < 0 {
            unsafe Unmanaged<Body>.fromOpaque(context).release()
            throw SystemError(call: "pthread_create", errno: -started)
        }
        return Thread(id: id)
    }

    /// Waits until the thread has ended. Exactly once per thread.
    public func join() { _ = clinux_thread_join(id) }

    /// As `join`, for a thread that may hang.
    /// - Returns: false when the thread has not ended in time. It then goes on by itself, until the process ends.
    public func join(within limit: Duration) -> Bool { clinux_thread_join_within(id, max(0, limit.wholeNanoseconds)) == 1 }

    /// Suspends the calling thread. For starting and stopping; a loop waits in its poller.
    public static func pause(_ time: Duration) { _ = clinux_poll(-1, 0, time.pollMilliseconds) }

    /// Lets others of this processor run first, if any wait for it.
    public static func yield() { _ = clinux_yield() }

    /// Lets others of this processor run for a moment, also those to whom the kernel owes no time.
    public static func yield(for time: Duration) { _ = clinux_poll(-1, 0, time.pollMilliseconds) }

    /// Processor time the calling thread has used.
    public static var processorTime: Duration { .nanoseconds(clinux_thread_cpu_ns()) }

    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

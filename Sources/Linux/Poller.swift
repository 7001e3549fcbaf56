import CLinux

/// epoll, level-triggered. Owns its descriptor. Used by one thread.
public final class Poller {
    public struct Readiness: OptionSet, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let readable = Readiness(rawValue: 1)
        public static let writable = Readiness(rawValue: 2)
        /// The peer is gone or the descriptor failed; reading or writing tells which.
        public static let hangup = Readiness(rawValue: 4)
    }

    private let epoll: Int32
    private var events: [clinux_event]

    public init() throws(SystemError) {
        epoll = try SystemError.check("epoll_create1", clinux_epoll_create())
        events = Array(repeating: clinux_event(token: 0, readiness: 0), count: Int(CLINUX_EVENTS))
    }

    deinit { Socket.close(epoll) }

    public func add(_ fd: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try SystemError.check("epoll_ctl", clinux_epoll_add(epoll, fd, interest.rawValue, token))
    }

    /// For descriptors that are only ever signalled: reported once per signal, and never read.
    public func addSignalled(_ fd: Int32, token: UInt64) throws(SystemError) {
        try SystemError.check("epoll_ctl", clinux_epoll_add_edge(epoll, fd, token))
    }

    public func change(_ fd: Int32, _ interest: Readiness, token: UInt64) {
        _ = clinux_epoll_change(epoll, fd, interest.rawValue, token)
    }

    public func remove(_ fd: Int32) { _ = clinux_epoll_remove(epoll, fd) }

    /// Waits up to `milliseconds` (-1: for ever) and answers how many descriptors are ready.
    public func wait(milliseconds: Int32) throws(SystemError) -> Int {
        let maximum = Int32(events.count)
        let epoll = epoll
        return Int(
            try SystemError.check(
                "epoll_wait",
                unsafe events.withUnsafeMutableBufferPointer { unsafe clinux_epoll_wait(epoll, $0.baseAddress, maximum, milliseconds) }))
    }

    /// Waits up to `time` with nanosecond resolution, for callers that must send at an exact time.
    public func wait(for time: Duration) throws(SystemError) -> Int {
        let maximum = Int32(events.count)
        let epoll = epoll
        let nanoseconds = min(max(time.wholeNanoseconds, 0), 1_000_000_000_000)
        return Int(
            try SystemError.check(
                "epoll_pwait2",
                unsafe events.withUnsafeMutableBufferPointer { unsafe clinux_epoll_wait_ns(epoll, $0.baseAddress, maximum, nanoseconds) }))
    }

    /// One of the events that the last `wait` returned.
    public func event(_ index: Int) -> (token: UInt64, readiness: Readiness) {
        (events[index].token, Readiness(rawValue: events[index].readiness))
    }
}

/// An eventfd: wakes the thread that polls it. Any thread may signal.
public final class WakeDescriptor: Sendable {
    public let descriptor: Int32
    public init() throws(SystemError) { descriptor = try SystemError.check("eventfd", clinux_eventfd()) }
    deinit { Socket.close(descriptor) }
    public func signal() { _ = clinux_eventfd_signal(descriptor) }
    /// For a thread that waits for this descriptor alone, with `Socket.wait`: from here on a signal makes it readable again.
    public func clear() { _ = clinux_eventfd_clear(descriptor) }
}

import CLinux

/// A moment on the clock that only goes forward; meaningful within one run of the machine.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    public let nanoseconds: Int64
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public static var now: MonotonicInstant { MonotonicInstant(nanoseconds: clinux_monotonic_ns()) }
    public static func < (a: MonotonicInstant, b: MonotonicInstant) -> Bool { a.nanoseconds < b.nanoseconds }
    public static func + (a: MonotonicInstant, b: Duration) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: a.nanoseconds.addingReportingOverflow(b.wholeNanoseconds).partialValue)
    }
    public static func - (a: MonotonicInstant, b: MonotonicInstant) -> Duration { .nanoseconds(a.nanoseconds - b.nanoseconds) }
}

extension Duration {
    /// Clamped to what 64 bits hold (292 years).
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min / 2 : .max / 2 }
        return product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}

public enum WallClock {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    public static func now() -> Int64 { clinux_realtime_ms() }
}

public enum Random {
    /// Bytes of the kernel's generator.
    public static func bytes(_ count: Int) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try SystemError.check("getrandom", unsafe bytes.withUnsafeMutableBufferPointer { unsafe clinux_random($0.baseAddress, $0.count) })
        return bytes
    }
}

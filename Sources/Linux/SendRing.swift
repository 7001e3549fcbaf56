import CLinux

/// Many sends in one system call (io_uring; Linux 5.18). The cost of entering the kernel is paid once, and each send has its own
/// result, as if it were a `send` call.
///
/// Filled with `add`, emptied by `submit`; nothing is in flight between two calls. Used by one thread.
@safe
public struct SendRing: ~Copyable {
    public static let capacity = Int(CLINUX_RING_SENDS)

    private let ring: OpaquePointer
    private var sends: [clinux_send] = []

    /// Fails when the kernel is older or refuses a ring (seccomp, `kernel.io_uring_disabled`).
    public init() throws(SystemError) {
        var error: Int32 = 0
        guard let ring = unsafe clinux_ring_make(&error) else { throw SystemError(call: "io_uring_setup", errno: error) }
        unsafe self.ring = ring
        sends.reserveCapacity(Self.capacity)
    }

    deinit { unsafe clinux_ring_free(ring) }

    public var count: Int { sends.count }
    public var isFull: Bool { sends.count == Self.capacity }

    /// A piece to be sent, out of one of the two storages that `submit` is lent.
    public mutating func add(_ fd: Int32, _ bytes: Range<Int>, inSecond: Bool) {
        precondition(!isFull && bytes.lowerBound >= 0)
        sends.append(
            clinux_send(
                fd: fd, result: 0, offset: UInt64(bytes.lowerBound), count: UInt32(bytes.count), in_second: inSecond ? 1 : 0))
    }

    /// Sends all pieces. `result` has the outcome of each until `clear`.
    public mutating func submit(_ first: Span<UInt8>, _ second: Span<UInt8>) {
        for send in sends { precondition(Int(send.offset) + Int(send.count) <= (send.in_second == 0 ? first.count : second.count)) }
        let ring = unsafe ring
        unsafe first.withUnsafeBufferPointer { first in
            unsafe second.withUnsafeBufferPointer { second in
                unsafe sends.withUnsafeMutableBufferPointer { sends in
                    _ = unsafe clinux_ring_send(ring, sends.baseAddress, Int32(sends.count), first.baseAddress, second.baseAddress)
                }
            }
        }
    }

    @inline(__always)
    public func result(_ index: Int) -> Socket.Transfer { Socket.Transfer(sent: Int64(sends[index].result)) }

    public mutating func clear() { sends.removeAll(keepingCapacity: true) }
}

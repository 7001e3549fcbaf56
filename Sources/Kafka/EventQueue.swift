internal import CRdkafka

/// Owns one queue of a client and the eventfd that becomes readable when the queue has something.
/// The wake-up is written when the queue turns from empty to non-empty, so the woken thread must clear it first and drain the queue then.
@safe struct EventQueue: ~Copyable {
    let pointer: OpaquePointer
    let descriptor: Int32

    /// Takes over `queue`.
    init?(_ queue: OpaquePointer) {
        let descriptor = crdkafka_eventfd()
        guard descriptor >= 0 else {
            unsafe rd_kafka_queue_destroy(queue)
            return nil
        }
        unsafe pointer = queue
        self.descriptor = descriptor
        var one: UInt64 = 1
        unsafe withUnsafeBytes(of: &one) {
            unsafe rd_kafka_queue_io_event_enable(queue, descriptor, $0.baseAddress, $0.count)
        }
    }

    func clearWakeUp() { crdkafka_eventfd_clear(descriptor) }

    /// The next event, to be destroyed by the caller; waits at most `milliseconds`.
    func next(waitingMilliseconds milliseconds: Int32 = 0) -> OpaquePointer? {
        unsafe rd_kafka_queue_poll(pointer, milliseconds)
    }

    deinit {
        unsafe rd_kafka_queue_io_event_enable(pointer, -1, nil, 0)
        unsafe rd_kafka_queue_destroy(pointer)
        close(descriptor)
    }
}

extension Duration {
    /// Whole milliseconds, as librdkafka takes them; clamped.
    var wholeMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let (thousands, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        if overflow { return seconds < 0 ? 0 : Int32.max }
        return max(
            0,
            Int32(
                clamping: thousands.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
                    .partialValue))
    }
}

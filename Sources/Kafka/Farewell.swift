internal import CRdkafka
internal import Glibc

/// The end of a consumer's client: leaves the group, then frees the client, and never frees one that is not through with leaving.
///
/// librdkafka before 2.3 is not to be trusted with less. A client freed while a revocation is unanswered spins for ever; one
/// freed while its committed offsets are being fetched reads through a null pointer; one freed between joining its group and the
/// first assignment fails an assertion (its issue 4312). So what cannot leave in time goes on leaving on a thread of its own,
/// and a client that never had an assignment is left lying: it is out of the group, and its process is about to end.
@safe struct Farewell {
    private let client: OpaquePointer
    private var hadAssignment: Bool
    private var closing: OpaquePointer?
    private var failure: KafkaError?

    /// Longest time for which a thread waits for brokers that do not answer; the group's coordinator forgets the member before.
    private static let patience: Duration = .seconds(120)

    init(_ client: OpaquePointer, hadAssignment: Bool) {
        unsafe self.client = client
        self.hadAssignment = hadAssignment
    }

    /// Starts leaving. Call once.
    mutating func begin() {
        let queue = unsafe rd_kafka_queue_new(client)!
        unsafe closing = queue
        failure = unsafe KafkaError(consuming: rd_kafka_consumer_close_queue(client, queue))
        // A revocation somebody took and did not answer counts as answered.
        _ = unsafe rd_kafka_assign(client, nil)
    }

    var hasBegun: Bool { unsafe closing != nil }
    /// A client that failed for good is out of its group already.
    var isOver: Bool { failure != nil || (unsafe rd_kafka_consumer_closed(client) != 0) }

    /// Answers what comes while leaving, for a moment.
    mutating func serve() {
        guard let closing = unsafe closing, let event = unsafe rd_kafka_queue_poll(closing, 10) else { return }
        defer { unsafe rd_kafka_event_destroy(event) }
        guard unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else { return }
        if unsafe rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { hadAssignment = true }
        _ = unsafe rd_kafka_assign(client, nil)
    }

    /// Waits until the group is left.
    mutating func serve(until deadline: ContinuousClock.Instant) {
        while !isOver, ContinuousClock.now < deadline { serve() }
    }

    /// Frees the client at once when it has left its group, and otherwise as soon as it has, where nobody waits.
    consuming func end() {
        guard !isOver else { return free() }
        let state = unsafe Unmanaged.passRetained(State(self)).toOpaque()
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread, nil,
            { state in
                guard let state = unsafe state else { return nil }
                unsafe Unmanaged<State>.fromOpaque(state).takeRetainedValue().finish()
                return nil
            }, state)
        if result == 0 {
            pthread_detach(thread)
        } else {
            unsafe Unmanaged<State>.fromOpaque(state).release()
        }
    }

    private final class State {
        private var farewell: Farewell
        init(_ farewell: Farewell) { self.farewell = farewell }
        func finish() {
            if !farewell.hasBegun { farewell.begin() }
            farewell.serve(until: .now + Farewell.patience)
            if farewell.isOver { farewell.free() }
        }
    }

    private func free() {
        if let closing = unsafe closing { unsafe rd_kafka_queue_destroy(closing) }
        guard hadAssignment || rd_kafka_version() >= 0x0203_0000 else { return }
        unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
}

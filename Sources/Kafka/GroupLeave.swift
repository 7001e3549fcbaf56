internal import CRdkafka
internal import Glibc

/// Ends a consumer's client: leaves the group and then frees the client. A client that is still leaving is never freed.
///
/// librdkafka before 2.3 needs this care. A client freed while a revocation is unanswered spins for ever; one freed while its
/// committed offsets are being fetched reads through a null pointer; one freed between joining its group and the first assignment
/// fails an assertion (its issue 4312). So a client that cannot leave in time continues on a thread of its own. A client that never
/// had an assignment is not freed: it has left the group, and its process is about to end.
@safe struct GroupLeave {
    private let client: OpaquePointer
    private var hadAssignment: Bool
    private var closing: OpaquePointer?
    private var failure: KafkaError?

    /// How long the thread waits for brokers that do not answer. The group's coordinator removes the member earlier.
    private static let timeout: Duration = .seconds(120)

    init(_ client: OpaquePointer, hadAssignment: Bool) {
        unsafe self.client = client
        self.hadAssignment = hadAssignment
    }

    /// Starts leaving. Call once.
    mutating func begin() {
        let queue = unsafe rd_kafka_queue_new(client)!
        unsafe closing = queue
        failure = unsafe KafkaError(consuming: rd_kafka_consumer_close_queue(client, queue))
    }

    /// Answers open rebalances with an empty assignment. Only while one is open: for a client that has just finished leaving,
    /// librdkafka may never return from this call.
    private func revokeAll() { _ = unsafe rd_kafka_assign(client, nil) }

    var hasBegun: Bool { unsafe closing != nil }
    /// A client that failed finally has left its group already.
    var isOver: Bool { failure != nil || (unsafe rd_kafka_consumer_closed(client) != 0) }

    /// Answers one rebalance event that arrives while leaving; waits for it at most 10 ms.
    mutating func serve() {
        guard let closing = unsafe closing, let event = unsafe rd_kafka_queue_poll(closing, 10) else { return }
        defer { unsafe rd_kafka_event_destroy(event) }
        guard unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE else { return }
        if unsafe rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS { hadAssignment = true }
        revokeAll()
    }

    /// Waits until the group is left.
    mutating func serve(until deadline: ContinuousClock.Instant) {
        while !isOver, ContinuousClock.now < deadline { serve() }
    }

    /// Frees the client at once when it has left its group, otherwise later on a thread of its own.
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
        private var leave: GroupLeave
        init(_ leave: GroupLeave) { self.leave = leave }
        func finish() {
            if !leave.hasBegun { leave.begin() }
            leave.serve(until: .now + .seconds(5))
            if !leave.isOver { leave.revokeAll() }
            leave.serve(until: .now + GroupLeave.timeout)
            if leave.isOver { leave.free() }
        }
    }

    private func free() {
        if let closing = unsafe closing { unsafe rd_kafka_queue_destroy(closing) }
        guard hadAssignment || rd_kafka_version() >= 0x0203_0000 else { return }
        unsafe rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
}

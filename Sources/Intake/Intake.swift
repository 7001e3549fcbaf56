package import Kafka
import Linux
package import Logging
package import Reactor
package import StoreAPI

/// Reads records from Kafka and stores their entries, on one thread that librdkafka's descriptor and the store's answers wake.
///
/// Records are read at least once, and the store recognizes those that were read twice: offsets are committed only after the store's
/// transaction, and stored positions are never used to skip a record.
package final class Intake: Sendable {
    package let metrics: IntakeMetrics
    package let heartbeat: Heartbeat
    private let inbox: IntakeInbox
    private let thread: Thread

    /// Starts reading at once; the brokers need not be there yet.
    /// - Parameter rules: what changes of rows do; nil: they notify nobody.
    /// - Throws: `KafkaError` of kind `.property` or `.configuration`.
    package init(
        _ configuration: IntakeConfiguration, rules: RulesFile? = nil, store: any StoreDesk, metrics: IntakeMetrics = IntakeMetrics(),
        log: Logger
    ) throws(KafkaError) {
        try configuration.validate()
        self.metrics = metrics
        do throws(SystemError) {
            let loop = try EventLoop(name: "intake")
            let inbox = IntakeInbox(loop: loop.handle)
            self.inbox = inbox
            heartbeat = loop.handle.heartbeat
            thread = try Thread.spawn(name: "intake") {
                IntakeWorker(configuration, rules: rules, loop: loop, inbox: inbox, store: store, metrics: metrics, log: log).run()
            }
        } catch {
            throw KafkaError(kind: .configuration, name: "_RESOURCE", message: "no thread for reading from Kafka: \(error)")
        }
    }

    /// Tells the intake to wait for the request in flight, commit, give the partitions back and leave the group, within about `limit`. The
    /// member that gets the partitions reads the records again that were not stored. Returns at once; call once, and `join` afterwards.
    package func stop(within limit: Duration) { inbox.ask(.stop(within: limit)) }

    /// Waits until the intake has ended. Nothing else may depend on its end: librdkafka before 2.3 may never return from freeing a consumer
    /// whose topic was deleted, or whose right to read it was withdrawn.
    /// - Returns: false when it has not ended in time; its thread then goes on until the process ends.
    package func join(within limit: Duration) -> Bool { thread.join(within: limit) }
}

/// How other threads reach the intake.
final class IntakeInbox: StoreClient {
    enum Order: Sendable {
        case stop(within: Duration)
        case deadLetterTopic(DeadLetterTopic.State)
    }

    /// The intake has one request open at a time.
    let outcomes: Mailbox<StoreOutcome>
    let orders: Mailbox<Order>

    init(loop: LoopHandle) {
        outcomes = Mailbox(capacity: 16, wakes: loop)
        orders = Mailbox(capacity: 4, wakes: loop)
    }

    func deliver(_ batch: [StoreOutcome]) {
        if !outcomes.post(contentsOf: batch) { assertionFailure("more outcomes than orders") }
    }

    func ask(_ order: Order) {
        // At most one search runs, so the mailbox is full only after several calls to stop.
        _ = orders.post(order)
    }
}

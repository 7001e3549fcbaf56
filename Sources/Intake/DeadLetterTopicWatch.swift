import Kafka
import Linux
import Logging
import Reactor

/// Looks for the dead-letter topic when a broker is first reached, when a letter could not be written, and at intervals while it is
/// missing. Each search has a thread of its own, because it blocks. Everything else runs on the intake's loop.
final class DeadLetterTopicWatch {
    private let topic: DeadLetterTopic
    private let loop: EventLoop
    private let inbox: IntakeInbox
    private let report: IntakeReport
    private let interval: Duration
    /// The time limit of each of the two requests.
    private static let limit: Duration = .seconds(3)

    private var search: Thread?
    private var next: TimerID?
    private var failures = 0
    private var isStopped = false

    init(_ configuration: IntakeConfiguration, loop: EventLoop, inbox: IntakeInbox, report: IntakeReport) {
        topic = DeadLetterTopic(
            configuration.deadLetterTopic, brokers: configuration.deadLetterProducer.brokers,
            properties: configuration.deadLetterProducer.properties)
        self.loop = loop
        self.inbox = inbox
        self.report = report
        interval = configuration.deadLetterTopicInterval
    }

    func look() {
        guard search == nil, next == nil, !isStopped else { return }
        do throws(SystemError) {
            search = try Thread.spawn(name: "dead-letters") { [topic, inbox] in
                inbox.ask(.deadLetterTopic(topic.state(within: Self.limit)))
            }
        } catch {
            lookAgainLater()
        }
    }

    /// The thread of the search has its result, and is about to end.
    func found(_ state: DeadLetterTopic.State) {
        endSearch()
        switch state {
        case .there, .made: failures = 0
        case .missing, .unknown:
            failures += 1
            lookAgainLater()
        }
        report.deadLetterTopic(topic.name, state, attempt: failures)
    }

    private func lookAgainLater() {
        next = loop.after(interval) { [weak self] in
            self?.next = nil
            self?.look()
        }
    }

    private func endSearch() {
        search?.join()
        search = nil
    }

    func stop() {
        isStopped = true
        if let next { loop.cancel(next) }
        endSearch()
    }
}

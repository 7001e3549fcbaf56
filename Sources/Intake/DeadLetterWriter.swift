import Kafka
import Linux
import Logging
import Reactor

/// Writes dead letters and reports of each, exactly once, whether the topic has it. Owns the producer, which is made for the first
/// letter and made anew when it fails for good. Runs on the intake's loop.
final class DeadLetterWriter {
    private let configuration: IntakeConfiguration
    private let loop: EventLoop
    private let log: Logger
    /// Never called from inside `write`.
    private let report: (_ token: UInt64, KafkaError?) -> Void
    private var producer: Producer?
    private var watch: WatchID?
    private var outstanding: Set<UInt64> = []

    init(_ configuration: IntakeConfiguration, loop: EventLoop, log: Logger, report: @escaping (UInt64, KafkaError?) -> Void) {
        self.configuration = configuration
        self.loop = loop
        self.log = log
        self.report = report
    }

    /// - Throws: when the letter was not taken; no report follows then.
    func write(_ letter: Letter) throws(KafkaError) {
        let producer = try open()
        do throws(KafkaError) {
            try producer.produce(DeadLetter.record(letter, topic: configuration.deadLetterTopic), token: letter.token)
        } catch {
            if error.kind == .fatal { loop.after(.zero) { [weak self] in self?.close(error) } }
            throw error
        }
        outstanding.insert(letter.token)
    }

    private func open() throws(KafkaError) -> Producer {
        if let producer { return producer }
        let producer = try Producer(configuration.deadLetterProducer)
        do throws(SystemError) {
            watch = try loop.watch(producer.descriptor, .readable) { [weak self] _ in self?.poll() }
        } catch {
            throw KafkaError(kind: .other, name: "_RESOURCE", message: "\(error)")
        }
        self.producer = producer
        return producer
    }

    private func poll() {
        guard let poll = producer?.poll() else { return }
        for line in poll.log { log.clientLine(line.level, line.facility, line.message) }
        for result in poll.reports where outstanding.remove(result.token) != nil {
            switch result.outcome {
            case .written: report(result.token, nil)
            case .failed(let failure): report(result.token, failure)
            }
        }
        for failure in poll.failures where failure.kind == .fatal { return close(failure) }
    }

    /// Letters without a report count as not written. So a letter may be written twice, but is never lost.
    private func close(_ failure: KafkaError) {
        guard producer != nil else { return }
        log.error("dead-letter producer failed for good and is made anew", metadata: ["error": "\(failure.name)"])
        if let watch { loop.unwatch(watch) }
        watch = nil
        producer = nil
        let lost = outstanding
        outstanding = []
        for token in lost { report(token, failure) }
    }
}

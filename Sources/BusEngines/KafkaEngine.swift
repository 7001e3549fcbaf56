import Bus
import Kafka
import Linux
import Reactor

/// A Kafka topic that every hub reads from its end, all partitions, without a place in a consumer group. The partition is chosen by the lane.
final class KafkaEngine: Engine {
    weak var owner: (any EngineOwner)?
    private let settings: KafkaBusSettings
    private let loop: EventLoop
    private let keys: [[UInt8]]
    private let findings: Mailbox<BusTopic.State>
    private var search: Thread?
    private var isOpening = false
    private var producer: Producer?
    private var reader: TailReader?
    private var watches: [WatchID] = []

    private static let searchWithin: Duration = .seconds(3)
    /// Records taken from librdkafka at once.
    private static let mostRecords = 1_000

    init(_ settings: KafkaBusSettings, loop: EventLoop) {
        self.settings = settings
        self.loop = loop
        keys = (0..<BusPacket.lanes).map { Array(String($0).utf8) }
        findings = Mailbox(capacity: 4, wakes: loop.handle)
        loop.receive(from: findings) { [unowned self] states in
            for state in states { found(state) }
        }
    }

    /// The topic is looked for on a thread of its own, because that blocks.
    func open() {
        isOpening = true
        guard search == nil else { return }
        let (topic, findings) = (BusTopic(settings), findings)
        do throws(SystemError) {
            search = try Thread.spawn(name: "bus-topic") { _ = findings.post(topic.state(within: Self.searchWithin)) }
        } catch {
            let reason = "\(error)"
            _ = loop.after(.zero) { [weak self] in self?.fail(reason) }
        }
    }

    private func found(_ state: BusTopic.State) {
        // It has its result, and is about to end.
        search?.join()
        search = nil
        guard isOpening else { return }
        switch state {
        case .failed(let reason): fail(reason)
        case .there(let partitions):
            do {
                try connect(partitions)
                isOpening = false
                owner?.engineIsUp()
            } catch {
                fail("\(error)")
            }
        }
    }

    private func connect(_ partitions: Int) throws {
        let reader = try TailReader(
            settings.topic, partitions: partitions, brokers: settings.brokers, group: settings.group, fetchWait: settings.fetchWait,
            properties: settings.properties)
        var configuration = ProducerConfiguration(brokers: settings.brokers)
        // A hint that comes late is of no use, and one that is lost does no harm.
        configuration.acknowledgement = .leader
        configuration.deliveryTimeout = .seconds(5)
        configuration.linger = .milliseconds(1)
        configuration.properties = settings.properties
        let producer = try Producer(configuration)
        (self.reader, self.producer) = (reader, producer)
        watches = [
            try loop.watch(reader.descriptor, .readable) { [unowned self] _ in
                if read() { loop.slice { [weak self] in self?.read() ?? false } }
            },
            try loop.watch(producer.descriptor, .readable) { [unowned self] _ in takeReports() },
        ]
    }

    /// - Returns: whether more has come.
    private func read() -> Bool {
        guard let poll = reader?.poll(Self.mostRecords) else { return false }
        if !poll.values.isEmpty { owner?.received(poll.values) }
        return poll.more
    }

    private func takeReports() {
        guard let poll = producer?.poll() else { return }
        let failed = poll.reports.count { if case .failed = $0.outcome { true } else { false } }
        if failed > 0 { owner?.dropped(failed) }
        if let fatal = poll.failures.first(where: { $0.kind == .fatal }) { fail("\(fatal)") }
    }

    func send(_ packet: [UInt8], lane: Int) -> Bool {
        guard let producer else { return false }
        do throws(KafkaError) {
            try producer.produce(OutgoingRecord(topic: settings.topic, key: keys[lane], value: packet))
            return true
        } catch {
            return false
        }
    }

    func close() {
        isOpening = false
        for watch in watches { loop.unwatch(watch) }
        (watches, producer, reader) = ([], nil, nil)
    }

    private func fail(_ reason: String) {
        close()
        owner?.engineIsDown("kafka: \(reason)")
    }
}

import Dialect
import Kafka
import Linux

/// Publishes to all subscribers, by the protocol of the server under test.
protocol Publisher: AnyObject {
    /// Publishes `count` entries together, with the marks `mark`, `mark` + 1, …
    func publish(_ count: Int, mark: Int64) throws
}

/// Publishes events to the hub's Kafka topic.
final class KafkaPublisher: Publisher {
    private let producer: Producer
    private let bytes: Int
    private let channel: String
    private var published: UInt64 = 0
    private var reportsFailure: String?

    /// - Parameter linger: how long the producer waits for records that may share a batch.
    init(_ server: Server, bytes: Int, channel: String = Dialect.channel, linger: Duration = .zero) throws {
        guard let brokers = server.brokers else {
            throw LoadFailure("where the hub's Kafka brokers are is not known: give the hub's --data folder")
        }
        var configuration = ProducerConfiguration(brokers: brokers)
        configuration.linger = linger
        configuration.queueRecords = 100_000
        configuration.queueKibibytes = 128 << 10
        producer = try Producer(configuration)
        self.bytes = bytes
        self.channel = channel
    }

    func publish(_ count: Int, mark: Int64) throws {
        for index in 0..<count {
            published += 1
            guard
                case .record(let value)? = Dialect.hub.publication(
                    mark: UInt64(mark) + UInt64(index), bytes: bytes, seq: published, channel: channel)
            else {
                throw LoadFailure(
                    "a message of \(bytes) B does not hold what the hub adds: at least \(Dialect.hub.leastBytes(seq: published, channel: channel) ?? 0)"
                )
            }
            // The same key for all events of the channel keeps their order, and a burst is one batch of one partition.
            try write(value, key: Array(channel.utf8))
        }
        try check()
    }

    /// Publishes one event for one user's inbox.
    func publish(to user: String, mark: Int64, body: String) throws {
        let value = #"{"id":"\#(Self.digits(mark))","type":"bench","to":["user:\#(user)"],"title":"Bench","body":"\#(body)"}"#
        try write(Array(value.utf8), key: Array(user.utf8))
        try check()
    }

    static func digits(_ mark: Int64) -> String {
        let text = String(mark)
        return String(repeating: "0", count: max(Mark.digits - text.count, 0)) + text
    }

    private func write(_ value: [UInt8], key: [UInt8]?) throws {
        let record = OutgoingRecord(topic: Publication.topic, key: key, value: value)
        while true {
            do throws(KafkaError) {
                return try producer.produce(record)
            } catch {
                guard error.kind == .queueFull else { throw error }
                Thread.pause(.milliseconds(1))
                try check()
            }
        }
    }

    /// Throws if Kafka did not accept a record: the hub would seem to have lost it.
    func check() throws {
        let poll = producer.poll()
        for report in poll.reports {
            if case .failed(let error) = report.outcome { throw LoadFailure("Kafka did not take an event: \(error)") }
        }
    }

    func flush() throws {
        for report in producer.flush(within: .seconds(20)).reports {
            if case .failed(let error) = report.outcome { throw LoadFailure("Kafka did not take an event: \(error)") }
        }
        guard producer.queuedRecords == 0 else { throw LoadFailure("Kafka did not take all events within 20 s") }
    }
}

/// A publisher's connection: seat 0 of the conductor's own swarm.
final class SocketPublisher: Publisher, Player {
    private let dialect: Dialect
    private let bytes: Int
    private let swarm: Swarm
    private var listener: Listener
    private var failure: String?

    init(_ conductor: Conductor, bytes: Int) throws {
        dialect = conductor.server.dialect
        self.bytes = bytes
        swarm = conductor.swarm
        listener = Listener(dialect, .publisher)
        swarm.player = self
        try swarm.connect(0, intended: 0)
        try conductor.wait(within: .seconds(10), for: "the publisher's connection") { [unowned self] in
            if let failure { throw LoadFailure("the publisher: \(failure)") }
            return swarm.openCount == 1 && listener.isReady
        }
    }

    func greeting(_ seat: Int) -> [UInt8] {
        dialect.greeting(.publisher, session: seat).flatMap { swarm.frame($0) }
    }

    func received(_ seat: Int, _ message: Span<UInt8>) {
        let heard = listener.receive(message) { _ in }
        if let answer = heard.answer { swarm.send(seat, swarm.frame(answer)) }
        if let refusal = heard.refusal { failure = refusal }
    }

    func lost(_ seat: Int, _ reason: String) { failure = reason }

    func publish(_ count: Int, mark: Int64) throws {
        if let failure { throw LoadFailure("the publisher: \(failure)") }
        var frames: [UInt8] = []
        for index in 0..<count {
            guard case .message(let message)? = dialect.publication(mark: UInt64(mark) + UInt64(index), bytes: bytes) else {
                throw LoadFailure("\(dialect.title) cannot send messages of \(bytes) B: at least \(dialect.leastBytes() ?? 0)")
            }
            frames += swarm.frame(message)
        }
        swarm.send(0, frames)
    }
}

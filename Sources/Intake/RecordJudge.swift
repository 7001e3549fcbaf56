import ChangeCapture
import Kafka
import Messaging
import Rules

/// Decides what is to be done with each record.
struct RecordJudge {
    let decoder: EventDecoder
    let deadLetterTopic: String
    /// Which topics have records of change data capture.
    let topics: ChangeTopics
    var changes: ChangeJudge

    init(_ configuration: IntakeConfiguration) {
        decoder = EventDecoder(limits: configuration.events)
        deadLetterTopic = configuration.deadLetterTopic
        topics = ChangeTopics(events: configuration.eventTopics, changes: configuration.changeTopics)
        changes = ChangeJudge(events: decoder, platform: PlatformEvents(payloadColumns: configuration.payloadColumns))
    }

    mutating func judge(_ record: KafkaRecord) -> (JudgedRecord, ChangeJudge.Findings?) {
        // A pattern among the topics may match the dead-letter topic. Dead letters of dead letters would never end.
        guard record.topic != deadLetterTopic else { return (JudgedRecord(record: record, judgement: .discarded("dead_letter")), nil) }
        if topics.contains(record.topic) { return changes.judge(record) }
        let decoded = decoder.decode(
            EventRecord(
                topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp, key: record.key,
                value: record.value, headers: record.headers.map { EventRecord.Header($0.name, $0.value) }))
        return (JudgedRecord(record, decoded), nil)
    }
}

/// Tells the topics of change data capture from those of events.
struct ChangeTopics {
    private let events: Set<String>
    private let changes: Set<String>
    private let hasPattern: Bool

    init(events: [String], changes: [String]) {
        self.events = Set(events)
        self.changes = Set(changes)
        hasPattern = changes.contains { $0.hasPrefix("^") }
    }

    /// With a pattern among the topics of changes there is none among those of events, so every topic without an event's name is one of changes.
    func contains(_ topic: String) -> Bool { changes.contains(topic) || hasPattern && !events.contains(topic) }
}

extension JudgedRecord {
    init(_ record: KafkaRecord, _ decoded: Decoded) {
        switch decoded {
        case .entries(let drafts): self.init(record: record, judgement: .entries(drafts))
        case .retracting(let drafts, let retractions, let rejection):
            self.init(
                record: record, judgement: rejection.map { .partly(drafts, DeathCause($0)) } ?? .entries(drafts), taking: retractions)
        case .discard(let reason): self.init(record: record, judgement: .discarded(reason.rawValue))
        case .partly(let drafts, let rejection): self.init(record: record, judgement: .partly(drafts, DeathCause(rejection)))
        case .rejected(let rejection): self.init(record: record, judgement: .dead(DeathCause(rejection)))
        }
    }

    static func dead(_ record: KafkaRecord, _ reason: String, _ detail: String) -> JudgedRecord {
        JudgedRecord(record: record, judgement: .dead(DeathCause(reason: reason, detail: detail)))
    }
}

extension DeathCause {
    fileprivate init(_ rejection: EventRejection) {
        self.init(reason: rejection.reason.rawValue, detail: rejection.detail, targets: rejection.targets)
    }
}

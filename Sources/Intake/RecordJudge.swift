import Kafka
import Messaging

/// Decides what is to be done with each record. Pure: a record that is read twice gets the same judgement.
struct RecordJudge {
    let decoder: EventDecoder
    let deadLetterTopic: String

    func judge(_ record: KafkaRecord) -> JudgedRecord {
        // A pattern among the topics may match the dead-letter topic. Dead letters of dead letters would never end.
        guard record.topic != deadLetterTopic else { return JudgedRecord(record: record, judgement: .discarded("dead_letter")) }
        let decoded = decoder.decode(
            EventRecord(
                topic: record.topic, partition: record.partition, offset: record.offset, timestamp: record.timestamp, key: record.key,
                value: record.value, headers: record.headers.map { EventRecord.Header($0.name, $0.value) }))
        switch decoded {
        case .entries(let drafts): return JudgedRecord(record: record, judgement: .entries(drafts))
        case .discard(let reason): return JudgedRecord(record: record, judgement: .discarded(reason.rawValue))
        case .partly(let drafts, let rejection): return JudgedRecord(record: record, judgement: .partly(drafts, DeathCause(rejection)))
        case .retracting(let drafts, let retractions, let rejection):
            return JudgedRecord(
                record: record, judgement: rejection.map { .partly(drafts, DeathCause($0)) } ?? .entries(drafts), taking: retractions)
        case .rejected(let rejection): return JudgedRecord(record: record, judgement: .dead(DeathCause(rejection)))
        }
    }
}

extension DeathCause {
    fileprivate init(_ rejection: EventRejection) {
        self.init(reason: rejection.reason.rawValue, detail: rejection.detail, targets: rejection.targets)
    }
}

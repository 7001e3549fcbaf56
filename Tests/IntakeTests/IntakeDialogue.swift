import Kafka
import Messaging
import Testing

@testable import Intake

/// What dialogues with the machine speak of.
protocol IntakeDialogue {}

extension IntakeDialogue {
    var a: TopicPartition { TopicPartition("events", 0) }
    var b: TopicPartition { TopicPartition("events", 1) }

    func draft(_ id: String, content: String = "") -> EntryDraft {
        EntryDraft(channel: .broadcast("system"), source: "test", id: id, kind: .notification, eventType: "t", content: content)
    }
    func good(_ partition: TopicPartition, _ offset: Int64) -> JudgedRecord {
        JudgedRecord(record: record(partition, offset), judgement: .entries([draft("\(partition.partition):\(offset)")]))
    }
    func tombstone(_ partition: TopicPartition, _ offset: Int64) -> JudgedRecord {
        JudgedRecord(record: record(partition, offset), judgement: .discarded("tombstone"))
    }
    func dead(_ partition: TopicPartition, _ offset: Int64, _ reason: String = "not_json") -> JudgedRecord {
        JudgedRecord(record: record(partition, offset), judgement: .dead(DeathCause(reason: reason, detail: nil)))
    }
    func record(_ partition: TopicPartition, _ offset: Int64) -> KafkaRecord {
        KafkaRecord(topic: partition.topic, partition: partition.partition, offset: offset, value: [1])
    }
    /// - Parameter after: what the database must have reached before; nil when the flow cannot know.
    func position(_ partition: TopicPartition, _ offset: Int64, after: Int64? = nil) -> IngestPosition {
        IngestPosition(group: "hub", topic: partition.topic, partition: partition.partition, offset: offset, after: after)
    }
    func stored(_ n: Int) -> StoreReply {
        .stored((0..<n).map { StoredDraft(seq: Seq(UInt64($0) + 1), createdAt: Timestamp(milliseconds: 0), duplicate: false) })
    }
    func flow(holding partitions: [TopicPartition], _ change: (inout IntakeFlow.Limits) -> Void = { _ in }) -> IntakeFlow {
        var limits = IntakeFlow.Limits()
        change(&limits)
        var flow = IntakeFlow(limits: limits, group: "hub")
        #expect(flow.handle(.assigned(partitions)) == [])
        return flow
    }
    /// A group that had committed, and a database that has everything.
    func flow(holding partitions: [TopicPartition], committed: [NextOffset], _ change: (inout IntakeFlow.Limits) -> Void = { _ in })
        -> IntakeFlow
    {
        var limits = IntakeFlow.Limits()
        change(&limits)
        var flow = IntakeFlow(limits: limits, group: "hub")
        #expect(flow.handle(.assigned(partitions, committed: committed)) == [.check(token: 1, committed.map(\.partition))])
        #expect(
            flow.handle(.answered(token: 1, .positions(committed.map { position($0.partition, $0.offset - 1) }))) == [])
        return flow
    }
    /// The actions but for the notes.
    func deeds(_ actions: [IntakeFlow.Action]) -> [IntakeFlow.Action] {
        actions.filter { if case .note = $0 { false } else { true } }
    }
}

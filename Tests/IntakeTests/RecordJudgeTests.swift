import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// What the intake makes of a record before it stores anything.
@Suite(.guarded) struct RecordJudgeTests {
    private let judge = RecordJudge(decoder: EventDecoder(), deadLetterTopic: "hub.events.dlq")

    private func judgement(of value: String, topic: String) -> JudgedRecord.Judgement {
        judge.judge(KafkaRecord(topic: topic, partition: 0, offset: 1, value: Array(value.utf8))).judgement
    }

    private static let event = #"{"type":"a.b","id":"1","to":"user:ann","title":"Bonjour"}"#

    @Test func `A pattern that matches the dead-letter topic, too, reads no dead letters`() {
        #expect(judgement(of: Self.event, topic: "hub.events.dlq") == .discarded("dead_letter"))
        #expect(judgement(of: "rubbish", topic: "hub.events.dlq") == .discarded("dead_letter"))
    }

    @Test func `Records of every other topic are judged by what they hold`() throws {
        for topic in ["hub.events", "hub.events.dlq2", "hub.events.dl"] {
            guard case .entries(let drafts) = judgement(of: Self.event, topic: topic) else {
                Issue.record("\(topic) was not read")
                continue
            }
            #expect(drafts.map(\.id) == ["1"])
            guard case .dead(let cause) = judgement(of: "rubbish", topic: topic) else {
                Issue.record("rubbish in \(topic) was taken")
                continue
            }
            #expect(cause.reason == "not_json")
        }
    }
}

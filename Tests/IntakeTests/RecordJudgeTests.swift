import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// What the intake makes of a record before it stores anything.
@Suite(.guarded) struct RecordJudgeTests {
    private func judgement(of value: String, topic: String, _ configuration: IntakeConfiguration? = nil) -> JudgedRecord.Judgement {
        var judge = RecordJudge(configuration ?? IntakeConfiguration(brokers: "b"))
        return judge.judge(KafkaRecord(topic: topic, partition: 0, offset: 1, value: Array(value.utf8))).0.judgement
    }

    @Test func `Only topics of rules hold changes of rows`() throws {
        let change = #"{"before":null,"after":{"id":1},"op":"c","source":{"db":"d","schema":"s","table":"t","lsn":9,"txId":1}}"#
        var configuration = IntakeConfiguration(brokers: "b", topics: ["hub.events", "more"])
        configuration.read(changes: ["platform.s.t"], by: nil)
        #expect(judgement(of: change, topic: "platform.s.t", configuration) == .discarded("no_rule"))
        #expect(judgement(of: Self.event, topic: "platform.s.u", configuration).drafts == 1)
        configuration.read(changes: ["^platform\\..*"], by: nil)
        #expect(judgement(of: change, topic: "platform.s.u", configuration) == .discarded("no_rule"))
        #expect(judgement(of: Self.event, topic: "more", configuration).drafts == 1)
        #expect(judgement(of: change, topic: "hub.events.dlq", configuration) == .discarded("dead_letter"))
    }

    @Test func `A topic that could be either is refused`() {
        var configuration = IntakeConfiguration(brokers: "b", topics: ["hub.events"])
        configuration.read(changes: ["hub.events"], by: nil)
        #expect(throws: KafkaError.self) { try configuration.validate() }
        configuration = IntakeConfiguration(brokers: "b", topics: ["^hub.*"])
        configuration.read(changes: ["^platform.*"], by: nil)
        #expect(throws: KafkaError.self) { try configuration.validate() }
        configuration = IntakeConfiguration(brokers: "b", topics: ["^hub.*"])
        configuration.read(changes: ["platform.s.t"], by: nil)
        #expect(throws: Never.self) { try configuration.validate() }
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

extension JudgedRecord.Judgement {
    fileprivate var drafts: Int { if case .entries(let drafts) = self { drafts.count } else { 0 } }
}

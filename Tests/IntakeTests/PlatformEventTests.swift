import HangGuard
import Kafka
import Messaging
import Testing

@testable import Intake

/// What the intake makes of the records of the platform's realtime system.
@Suite("The platform's own records", .guarded) struct PlatformEventTests {
    private func judged(_ value: String, offset: Int64 = 1, columns: [String] = []) -> JudgedRecord {
        var judge = ChangeJudge(events: EventDecoder(), platform: PlatformEvents(payloadColumns: columns))
        return judge.judge(KafkaRecord(topic: "avenirs_rt.events", partition: 0, offset: offset, key: nil, value: Array(value.utf8))).0
    }

    private func planned(
        audience: String, type: String = "NOTIFICATION", priority: String = #""HIGH""#, more: String = "", ack: String = "false"
    ) -> String {
        #"""
        {"metadata":{"id":"m1","priority":\#(priority),"type":"\#(type)","emitter":"portfolio","source":"srv","topic":"review",
          "operation":"UPDATE","timestamp":"2025-03-01T10:00:00Z"\#(more)},
         "payload":{"before":{"mark":7},"after":{"id":1,"mark":15,"student":"zoe"}},
         "routing":{"audience":\#(audience),"retry":{"ack_required":\#(ack)}}}
        """#
    }

    private static let audiences = [
        (#"{"type":"USER","targets":["zoe@ens.fr","bob"]}"#, ["inbox:zoe@ens.fr", "inbox:bob"]),
        (#"{"type":"user","targets":["*"]}"#, ["broadcast:system"]),
        (#"{"type":"STRUCTURE","targets":["0751717J"]}"#, ["broadcast:institution:0751717J"]),
        (#"{"type":"FORMATION","targets":["m2-info",42]}"#, ["broadcast:formation:m2-info", "broadcast:formation:42"]),
        (
            #"[{"type":"USER","targets":["zoe"]},{"type":"STRUCTURE","targets":["ens"]}]"#,
            ["inbox:zoe", "broadcast:institution:ens"]
        ),
    ]

    @Test("Each audience has its channels", arguments: audiences)
    func channels(_ audience: String, _ expected: [String]) {
        let judged = judged(planned(audience: audience))
        #expect(judged.cause == nil && judged.drafts.map(\.channel.storedName) == expected)
    }

    @Test func `A planned record becomes an entry that says what changed, and no value of the row leaves`() throws {
        let value = planned(audience: #"{"type":"USER","targets":["zoe"]}"#, more: #","expiration":4102444800000"#, ack: "true")
        let draft = try #require(judged(value).drafts.first)
        #expect((draft.source, draft.id) == ("platform", "m1"))
        #expect(draft.eventType == "platform.review.update" && draft.kind == .notification && draft.priority == .high)
        #expect(draft.form == .hint && draft.group == "review" && draft.receiptRequired)
        #expect(draft.expiresAt == Timestamp(milliseconds: 4_102_444_800_000))
        #expect(draft.content.isEmpty)
    }

    @Test func `Only the columns that the operator names leave`() throws {
        let value = planned(audience: #"{"type":"USER","targets":["zoe"]}"#)
        let draft = try #require(judged(value, columns: ["id", "unknown"]).drafts.first)
        #expect(draft.content == #""data":{"id":1}"#)
    }

    @Test(
        "Types and priorities",
        arguments: [
            ("SYSTEM", "system.platform.review.update", EntryDraft.Kind.system), ("REALTIME", "realtime.review.update", .notification),
        ])
    func types(_ type: String, _ expected: String, _ kind: EntryDraft.Kind) throws {
        let value = planned(audience: #"{"type":"USER","targets":["zoe"]}"#, type: type, priority: #""medium""#)
        let draft = try #require(judged(value).drafts.first)
        #expect(draft.eventType == expected && draft.kind == kind && draft.priority == .normal)
    }

    @Test func `An unknown audience is dead-lettered by its name, and the others get their entry`() {
        let unknown = judged(planned(audience: #"{"type":"ROOM","targets":["b12"]}"#))
        #expect(unknown.drafts.isEmpty && unknown.cause?.reason == "unknown_audience")
        #expect(unknown.cause?.detail == "routing.audience: expected USER, STRUCTURE or FORMATION with its targets, got ROOM b12")
        let both = judged(planned(audience: #"[{"type":"ROOM","targets":["b12"]},{"type":"USER","targets":["zoe"]}]"#))
        #expect(both.drafts.map(\.channel.storedName) == ["inbox:zoe"] && both.cause?.reason == "unknown_audience")
        #expect(both.cause?.targets == ["ROOM b12"])
        let everyFormation = judged(planned(audience: #"{"type":"FORMATION","targets":["*"]}"#))
        #expect(everyFormation.cause?.reason == "unknown_audience" && everyFormation.drafts.isEmpty)
    }

    @Test func `A target that is no name is dead-lettered together with unknown audiences`() {
        let judged = judged(planned(audience: #"[{"type":"ROOM","targets":["b12"]},{"type":"USER","targets":["zoe",""]}]"#))
        #expect(judged.drafts.map(\.channel.storedName) == ["inbox:zoe"])
        #expect(judged.cause?.reason == "bad_target" && judged.cause?.targets == ["user:", "ROOM b12"])
    }

    @Test func `An unknown priority and an audience without targets are dead-lettered`() {
        #expect(judged(planned(audience: #"{"type":"USER","targets":["zoe"]}"#, priority: #""SOON""#)).cause?.reason == "bad_priority")
        #expect(judged(planned(audience: #"{"type":"USER","targets":[]}"#)).cause?.reason == "no_targets")
        #expect(judged(planned(audience: "[]")).cause?.reason == "wrong-kind")
    }

    @Test func `A notice has its texts, and is recognized when it is read again`() throws {
        let value =
            #"{"audience":["*","zoe"],"priority":"LOW","type":"USER","header":"Bonjour","body":"Votre dossier est ouvert.","footer":"ENS"}"#
        let drafts = judged(value).drafts
        #expect(drafts.map(\.channel.storedName) == ["broadcast:system", "inbox:zoe"])
        let draft = try #require(drafts.first)
        #expect(draft.eventType == "platform.notice" && draft.priority == .low && draft.form == .full)
        #expect(draft.source == "kafka:avenirs_rt.events")
        #expect(draft.content == #""title":"Bonjour","body":"Votre dossier est ouvert.","data":{"footer":"ENS"}"#)
        #expect(judged(value).drafts == drafts)
        #expect(judged(value, offset: 2).drafts.first?.id != draft.id)
    }
}

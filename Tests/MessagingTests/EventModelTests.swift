import HangGuard
import JSON
import Messaging
import TestKit
import Testing

@Suite("Randomly damaged records", .guarded)
struct EventModelTests {
    @Test("A record always gives the same storable entries, or a reason", arguments: [1, 2, 3, 4] as [UInt64])
    func spoiled(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let values =
            [
                #"{"id":"e-1","type":"system.x","to":["user:alice","broadcast:system"],"title":{"fr":"é","en":"e"},"body":"b","priority":"low"}"#,
                #"{"type":"t","to":["user:a"],"context":{"a":1},"link":"/x","data":[1,{"b":null}],"group":"g","collapse":"c","receipt":"required"}"#,
                #"{"type":"t","to":["conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa"],"expiresAt":"2026-11-23T22:45:00Z","form":"hint"}"#,
                "{\(EventDecoderTests.envelope),\"data\":\(EventDecoderTests.data)}",
                "[{\(EventDecoderTests.envelope),\"data\":\(EventDecoderTests.data)}]",
                EventDecoderTests.data, #"{"op":"c","before":null,"after":{"id":1},"source":{"table":"x"}}"#,
            ] + EventDecoderTests.rejections.map(\.0)
        let corpus = values.map { Array($0.utf8) }
        let headers: [[(String, String)]] = [
            [], EventDecoderTests.attributes, [("content-type", "application/cloudevents-batch+json")],
            [("content-type", "application/cloudevents+json")], [("traceparent", EventDecoderTests.trace)],
        ]
        let decoder = EventDecoder()
        let good = Array(corpus.prefix(6))
        var accepted = 0
        for _ in 0..<10_000 {
            var record = EventRecord(topic: "t", partition: 0, offset: 1, value: random.pick(random.chance(3) ? corpus : good))
            record.headers = random.pick(headers).map { EventRecord.Header($0.0, Array($0.1.utf8)) }
            if !random.chance(4), let value = record.value { record.value = Mutator.mutate(value, with: corpus, using: &random) }
            if random.chance(4), !record.headers.isEmpty {
                let i = Int.random(in: record.headers.indices, using: &random)
                record.headers[i].value = record.headers[i].value.map { Mutator.mutate($0, with: corpus, using: &random) }
            }
            let decoded = decoder.decode(record)
            #expect(decoder.decode(record) == decoded)
            guard case .entries(let drafts) = decoded else { continue }
            accepted += 1
            #expect(!drafts.isEmpty)
            for draft in drafts {
                #expect(!draft.id.isEmpty && !draft.source.isEmpty && !draft.eventType.isEmpty)
                #expect(
                    [draft.id, draft.source, draft.eventType, draft.group ?? "", draft.collapse ?? ""].allSatisfy { !$0.utf8.contains(0) })
                var frame: [UInt8] = []
                ServerMessage.entry(Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft), into: &frame)
                let entry = try JSONValue.parse(frame, limits: JSONLimits(refusesNUL: true))
                #expect(entry["event"]?.string == draft.eventType)
                #expect(!frame.contains(0x0A))
            }
        }
        #expect(accepted > 500)
    }
}

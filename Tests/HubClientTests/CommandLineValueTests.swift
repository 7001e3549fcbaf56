import Configuration
import Embedded
import HangGuard
import JSON
import Testing

@testable import HubClient

@Suite("Values that the commands write and read", .guarded)
struct CommandLineValueTests {
    @Test("embedded.env is read as it was written", arguments: ["http://127.0.0.1:8080", "a b", "it's $HOME", "", "''"])
    func facts(_ value: String) {
        let facts = EmbeddedFacts(
            url: value, databaseURL: "postgresql://hub:pw@127.0.0.1:5433/hub", kafkaBrokers: value, keys: value, issuer: "i", audience: "a")
        #expect(EmbeddedFacts(facts.text) == facts)
    }

    @Test("embedded.env is plain shell")
    func shell() {
        let facts = EmbeddedFacts(
            url: "http://127.0.0.1:8080", databaseURL: "x?a=1&b", kafkaBrokers: "127.0.0.1:9", keys: "/d/jwks.json", issuer: "i",
            audience: "hub")
        #expect(
            facts.text.split(separator: "\n").dropFirst().map(String.init) == [
                "HUB_URL=http://127.0.0.1:8080", "HUB_DATABASE_URL='x?a=1&b'", "HUB_KAFKA_BROKERS=127.0.0.1:9",
                "HUB_JWKS=/d/jwks.json", "HUB_ISSUER=i", "HUB_AUDIENCE=hub",
                "export HUB_URL HUB_DATABASE_URL HUB_KAFKA_BROKERS HUB_JWKS HUB_ISSUER HUB_AUDIENCE",
            ])
        #expect(EmbeddedFacts("HUB_URL=http://127.0.0.1:8080\n") == nil)
    }

    @Test("An event has the given members and no others")
    func event() throws {
        var event = EventDraft(id: "1", type: "t", recipients: ["user:alice", "broadcast:system"], title: "Hi \"you\"")
        #expect(event.json == #"{"id":"1","type":"t","to":["user:alice","broadcast:system"],"title":"Hi \"you\""}"#)
        #expect(event.key == "user:alice")
        event.body = "b"
        event.isReceiptRequired = true
        event.form = "hint"
        try event.setData(#" {"a":1} "#)
        #expect(event.json.hasSuffix(#""body":"b","form":"hint","receipt":"required","data":{"a":1}}"#))
        #expect(throws: CommandFailure.self) { try event.setData("{a:1}") }
        var retraction = EventDraft(id: "2", type: "retraction", recipients: ["user:alice"], title: nil)
        retraction.retraction = .event(id: "1", source: nil)
        #expect(retraction.json == #"{"id":"2","type":"retraction","to":["user:alice"],"retract":{"id":"1"}}"#)
        retraction.retraction = .event(id: "1", source: "/s")
        #expect(retraction.json.hasSuffix(#""retract":{"source":"/s","id":"1"}}"#))
        retraction.retraction = .group("g")
        #expect(retraction.json.hasSuffix(#""retract":{"group":"g"}}"#))
    }

    @Test("An event goes to the first topic that is named, never to a pattern")
    func topic() throws {
        var kafka = Configuration.Kafka()
        kafka.topics = ["^hub\\.events\\..*", "hub.events.reviews", "hub.events"]
        #expect(try EventPublication(kafka, from: .byDefault).topic == "hub.events.reviews")
        kafka.topics = ["^hub\\.events\\..*"]
        let failure = #expect(throws: CommandFailure.self) { try EventPublication(kafka, from: .byDefault) }
        #expect(failure?.lines.first?.contains("names no topic") == true)
    }
}

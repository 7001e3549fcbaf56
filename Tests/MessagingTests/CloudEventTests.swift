import Foundation
import JSON
import Messaging
import Testing

// CloudEvents 1.0, structured and binary.
extension EventDecoderTests {
    static let envelope = #""specversion":"1.0","id":"c-1","source":"/reviews","type":"system.review""#
    static let data = #"{"to":["user:alice"],"title":"T","id":"not this one","type":"nor this"}"#
    static let expected = EntryDraft(
        channel: .inbox(UserID("alice")!), source: "/reviews", id: "c-1", kind: .system, eventType: "system.review",
        content: #""title":"T""#)

    @Test(
        "A structured CloudEvent is recognized by its content type or its specversion",
        arguments: [
            [], [("content-type", "application/cloudevents+json")], [("Content-Type", "application/cloudevents+json; charset=UTF-8")],
            [("content-type", "application/json")], [("content-type", "application/cloudevents")],
            [("content-type", "application/cloudevents+json"), ("ce_id", "a stranger")],
        ])
    func structured(headers: [(String, String)]) {
        #expect(drafts("{\(Self.envelope),\"data\":\(Self.data),\"data_base64\":null}", headers) == [Self.expected])
    }

    static let attributes = [("ce_specversion", "1.0"), ("ce_id", "c-1"), ("ce_source", "/reviews"), ("ce_type", "system.review")]

    @Test(
        "A binary CloudEvent has its attributes in headers and its data in the value",
        arguments: [
            [], [("content-type", "application/json")], [("content-type", "application/vnd.review+json;v=1")],
            [("CONTENT-TYPE", " Text/JSON ")],
        ])
    func binary(more: [(String, String)]) {
        #expect(drafts(Self.data, Self.attributes + more) == [Self.expected])
        #expect(drafts(Self.data, more + Self.attributes.map { ($0.0.uppercased(), $0.1) }) == [Self.expected])
    }

    @Test("An event that a rule made, sent again, knows its row", arguments: [true, false])
    func replayed(isBinary: Bool) {
        let row = #"platform/app.review/{\"id\":7}"#
        let envelope = Self.envelope.replacing("/reviews", with: "rule:asked")
        let attributes = Self.attributes.map { ($0.0, $0.1 == "/reviews" ? "rule:asked" : $0.1) }
        let found =
            isBinary
            ? drafts(Self.data, attributes + [("ce_hubrow", #"platform/app.review/{"id":7}"#)])
            : drafts("{\(envelope),\"hubrow\":\"\(row)\",\"data\":\(Self.data)}", [])
        #expect(found.map(\.cause) == [Cause(row: #"platform/app.review/{"id":7}"#, rule: "asked", change: nil)])
    }

    @Test(
        "A row needs a rule as the source, and is a short text",
        arguments: [
            ("/reviews", #""x""#), ("rule:", #""x""#), ("rule:asked", #""""#), ("rule:asked", "7"), ("rule:asked", #""\u0001""#),
            ("rule:asked", "\"" + String(repeating: "x", count: 513) + "\""),
        ])
    func noRow(source: String, row: String) {
        let envelope = Self.envelope.replacing("/reviews", with: source)
        #expect(rejection("{\(envelope),\"hubrow\":\(row),\"data\":\(Self.data)}")?.reason == .badCloudEvent)
    }

    @Test("An invalid target is named, and the other targets get their entries")
    func partlyGood() {
        func partly(_ value: String, _ headers: [(String, String)] = []) -> ([String], EventRejection)? {
            guard case .partly(let drafts, let rejection) = EventDecoder().decode(record(value, headers)) else { return nil }
            return (drafts.map { "\($0.channel.storedName)/\($0.id)" }, rejection)
        }
        let mixed = partly(#"{"id":"1","type":"t","to":["user:a","nobody:x","broadcast:b:1",7],"title":"T"}"#)
        #expect(mixed?.0 == ["inbox:a/1", "broadcast:b:1/1"])
        #expect(
            mixed?.1
                == EventRejection(
                    .badTarget, "to: target 1 is not user:<id>, broadcast:<name> or conversation:<uuid>, and 1 more",
                    targets: ["nobody:x", "7"]))
        let batch = [("content-type", "application/cloudevents-batch+json")]
        let second = Self.envelope.replacing("c-1", with: "c-2")
        let third = Self.envelope.replacing("c-1", with: "c-3")
        let events = partly(
            "[{\(Self.envelope)},{\(second),\"data\":{\"to\":[\"user:b\",\"x\"]}},{\(third),\"data\":\(Self.data)}]", batch)
        #expect(events?.0 == ["inbox:b/c-2", "inbox:alice/c-3"])
        #expect(events?.1.reason == .missingData)
        #expect(events?.1.detail.hasPrefix("event 0: data: ") == true && events?.1.detail.contains("; event 1: to: target 1 ") == true)
        #expect(events?.1.targets == ["x"])
        // Nobody gets anything: then it is the whole record that is refused.
        #expect(rejection(#"{"id":"1","type":"t","to":["x","y"]}"#)?.targets == [])
    }

    @Test("A batch of CloudEvents gives the entries of all, or a reason that names the invalid one")
    func batch() {
        let headers = [("content-type", "application/cloudevents-batch+json")]
        let second = Self.envelope.replacing("c-1", with: "c-2")
        let batch = "[{\(Self.envelope),\"data\":\(Self.data)},{\(second),\"data\":{\"to\":[\"user:b\",\"user:c\"]}}]"
        #expect(drafts(batch, headers).map(\.id) == ["c-1", "c-2", "c-2"])
        #expect(rejection("[]", headers)?.reason == .emptyBatch)
        #expect(rejection("{}", headers)?.reason == .emptyBatch)
        #expect(rejection("[{\(Self.envelope)},{\(second)}]", headers)?.detail.hasPrefix("event 0: data: ") == true)
        var limits = EventLimits()
        limits.batch = 1
        #expect(rejection(batch, headers, limits)?.reason == .emptyBatch)
    }

    @Test("Each required attribute is required, in both modes", arguments: ["specversion", "id", "source", "type"])
    func required(attribute: String) throws {
        var object = try #require(try JSONValue.parse("{\(Self.envelope),\"data\":\(Self.data)}").object)
        let json = [("content-type", "application/cloudevents+json")]
        for value in [nil, JSONValue.null, 1, "", "a\nb", .string(String(repeating: "x", count: 600))] {
            object[attribute] = value
            let rejection = rejection(JSONValue.object(object).text, json)
            #expect(rejection?.reason == .badCloudEvent)
            #expect(rejection?.detail.hasPrefix("\(attribute): ") == true)
        }
        let others = Self.attributes.filter { $0.0 != "ce_" + attribute }
        if attribute != "specversion" || others.contains(where: { $0.0 == "ce_id" }) {
            #expect(rejection(Self.data, others)?.reason == .badCloudEvent)
            #expect(rejection(Self.data, others + [("ce_" + attribute, "")])?.reason == .badCloudEvent)
        }
    }

    @Test(
        "Invalid CloudEvents are refused",
        arguments: [
            (#"{"specversion":"0.3","id":"1","source":"s","type":"t","data":{}}"#, EventRejectionReason.badCloudEvent),
            (#"{"specversion":"1.0","id":"1","source":"s","type":"t"}"#, .missingData),
            (#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":"x"}"#, .missingData),
            (#"{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"e30="}"#, .base64Data),
            (#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":{}}"#, .noTargets),
        ])
    func notCloudEvents(value: String, reason: EventRejectionReason) {
        #expect(rejection(value)?.reason == reason)
    }

    @Test("A binary CloudEvent that cannot be read is refused")
    func badBinary() {
        #expect(rejection("", Self.attributes)?.reason == .missingData)
        #expect(rejection("[]", Self.attributes)?.reason == .missingData)
        #expect(rejection("{", Self.attributes)?.reason == .notJSON)
        #expect(rejection("<a/>", Self.attributes + [("content-type", "application/xml")])?.reason == .unsupportedContentType)
        #expect(rejection("<a/>", [("content-type", "application/xml")])?.reason == .unsupportedContentType)
        var spoiled = record(Self.data, Self.attributes)
        spoiled.headers[1].value = [0xFF]
        guard case .rejected(let rejection) = EventDecoder().decode(spoiled) else {
            Issue.record("accepted an id that is not UTF-8")
            return
        }
        #expect(rejection.reason == .badCloudEvent)
    }
}

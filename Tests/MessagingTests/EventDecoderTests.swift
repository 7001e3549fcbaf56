import Foundation
import HangGuard
import JSON
import Messaging
import Testing

@Suite("Records become entries", .guarded)
struct EventDecoderTests {
    static let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    func record(_ value: String?, _ headers: [(String, String)] = [], key: String? = nil) -> EventRecord {
        EventRecord(
            topic: "hub.events", partition: 3, offset: 42, timestamp: 1_700_000_000_000, key: key.map { Array($0.utf8) },
            value: value.map { Array($0.utf8) }, headers: headers.map { EventRecord.Header($0.0, Array($0.1.utf8)) })
    }

    func drafts(_ value: String, _ headers: [(String, String)] = []) -> [EntryDraft] {
        guard case .entries(let drafts) = EventDecoder().decode(record(value, headers)) else {
            Issue.record("\(EventDecoder().decode(record(value, headers)))")
            return []
        }
        return drafts
    }

    func rejection(_ value: String, _ headers: [(String, String)] = [], _ limits: EventLimits = EventLimits()) -> EventRejection? {
        if case .rejected(let rejection) = EventDecoder(limits: limits).decode(record(value, headers)) { rejection } else { nil }
    }

    // MARK: The hub's own JSON

    @Test("An event with every member becomes one entry per channel")
    func everything() {
        let event = #"""
            {"id":"e-1","type":"peer-review.requested","to":["user:alice","broadcast:activity:7","conversation:0B9E4F9C-3f67-4f4f-9d39-2d2f0c7cf0aa"],
             "title":{"fr":"Une relecture","en-GB":"A review"},"body":"Hé \u00e9 \"x\"","priority":"high","context":{"activity":7},"link":"/reviews/7",
             "data":{ "n" : 1.50 , "x":[null] },"group":"reviews","collapse":"review:7","expiresAt":"2026-11-23T22:45:00+01:00","receipt":"required",
             "form":"hint","unknown":{"ignored":true}}
            """#
        let drafts = drafts(event, [("traceparent", Self.trace)])
        #expect(
            drafts.map(\.channel.storedName) == [
                "inbox:alice", "broadcast:activity:7", "conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa",
            ])
        for draft in drafts {
            let expected = EntryDraft(
                channel: draft.channel, source: "hub", id: "e-1", kind: .notification, eventType: "peer-review.requested", priority: .high,
                form: .hint,
                content:
                    #""title":{"fr":"Une relecture","en-GB":"A review"},"body":"Hé é \"x\"","context":{"activity":7},"link":"/reviews/7","data":{"n":1.50,"x":[null]}"#,
                group: "reviews", collapse: "review:7", expiresAt: Timestamp(milliseconds: 1_795_470_300_000), receiptRequired: true,
                trace: Self.trace)
            #expect(draft == expected)
        }
    }

    @Test("The smallest event has a type and a target; a null member counts as absent")
    func least() {
        let least = drafts(#"{"id":"1","type":"t","to":"user:alice"}"#)
        #expect(
            least == [
                EntryDraft(channel: .inbox(UserID("alice")!), source: "hub", id: "1", kind: .notification, eventType: "t", content: "")
            ])
        let nulls = ["title", "body", "priority", "context", "link", "data", "group", "collapse", "expiresAt", "receipt", "form"]
        let event = #"{"id":"1","type":"t","to":["user:alice"],\#(nulls.map { "\"\($0)\":null" }.joined(separator: ","))}"#
        #expect(drafts(event) == least)
    }

    @Test("The drafts of one event differ only in their channel, and a change of one does not change the others")
    func shared() throws {
        let drafts = drafts(#"{"id":"1","type":"t","to":["user:a","user:b"],"title":"T"}"#)
        var changed = try #require(drafts.first)
        #expect(changed == drafts[0] && changed != drafts[1])
        changed.channel = drafts[1].channel
        #expect(changed == drafts[1])
        changed.priority = .high
        #expect(changed.priority == .high && changed != drafts[1])
        #expect(drafts.map(\.priority) == [.normal, .normal])
    }

    @Test(
        "A channel named twice gets one entry; names that differ in bytes are two channels",
        arguments: [
            (#""user:a","user:a""#, 1), (#""broadcast:system","user:a","broadcast:system""#, 2),
            (#""conversation:0b9e4f9c-3f67-4f4f-9d39-2d2f0c7cf0aa","conversation:0B9E4F9C-3F67-4F4F-9D39-2D2F0C7CF0AA""#, 1),
            ("\"user:\u{E9}\",\"user:e\u{301}\"", 2),
        ])
    func repeatedTargets(targets: String, count: Int) {
        #expect(drafts(#"{"id":"1","type":"t","to":[\#(targets)]}"#).count == count)
    }

    @Test(
        "The type distinguishes notifications from system notices",
        arguments: [
            ("system.news", EntryDraft.Kind.system), ("system.", .system), ("system", .notification), ("systemic.x", .notification),
            ("System.news", .notification),
        ])
    func kinds(type: String, kind: EntryDraft.Kind) {
        #expect(drafts(#"{"id":"1","type":"\#(type)","to":["user:a"]}"#).map(\.kind) == [kind])
    }

    @Test(
        "\"required\" or true requires a receipt", arguments: [(#""required""#, true), ("true", true), ("false", false), ("null", false)])
    func receipts(value: String, required: Bool) {
        #expect(drafts(#"{"id":"1","type":"t","to":["user:a"],"receipt":\#(value)}"#).map(\.receiptRequired) == [required])
    }

    @Test(
        "An expiry is a time or milliseconds",
        arguments: [
            ("0", 0), ("1795473900123", 1_795_473_900_123), (#""1970-01-01T00:00:01Z""#, 1_000), ("253402300799999", 253_402_300_799_999),
        ] as [(String, Int64)])
    func expiries(value: String, milliseconds: Int64) {
        #expect(drafts(#"{"id":"1","type":"t","to":["user:a"],"expiresAt":\#(value)}"#).map(\.expiresAt?.milliseconds) == [milliseconds])
    }

    @Test("A valid link is kept", arguments: ["/", "/a/b?c=d#e", "https://example.org/é", "HTTP://example.org"])
    func goodLinks(link: String) {
        #expect(drafts(#"{"id":"1","type":"t","to":["user:a"],"link":"\#(link)"}"#).map(\.content) == [#""link":"\#(link)""#])
    }

    static let rejections: [(String, EventRejectionReason)] = [
        ("", .notJSON), ("{", .notJSON), ("nonsense", .notJSON), (#"{"type":"t","type":"t"}"#, .notJSON),
        (#"{"type":"t","to":["user:a"],"title":"\u0000"}"#, .nulCharacter),
        (#"{"type":"t","to":["user:a"],"data":{"\u0000":1}}"#, .nulCharacter),
        (#"{"type":"t","to":["user:a"],"title":"\ud800"}"#, .notJSON),
        ("[]", .notAnObject), ("null", .notAnObject), ("1", .notAnObject), (#""x""#, .notAnObject),
        ("{}", .missingType), (#"{"type":null}"#, .missingType), (#"{"type":1}"#, .badType), (#"{"type":""}"#, .badType),
        (#"{"type":"a\nb"}"#, .badType), (#"{"type":"\#(String(repeating: "t", count: 256))"}"#, .badType),
        (#"{"type":"t","id":7}"#, .badID), (#"{"type":"t","id":""}"#, .badID), (#"{"type":"t","id":"a\u001fb"}"#, .badID),
        (#"{"type":"t","id":"\#(String(repeating: "i", count: 256))"}"#, .badID),
        (#"{"type":"t"}"#, .noTargets), (#"{"type":"t","to":[]}"#, .noTargets), (#"{"type":"t","to":null}"#, .noTargets),
        (#"{"type":"t","to":{}}"#, .badTarget), (#"{"type":"t","to":[1]}"#, .badTarget), (#"{"type":"t","to":["alice"]}"#, .badTarget),
        (#"{"type":"t","to":["user:"]}"#, .badTarget), (#"{"type":"t","to":["inbox:alice"]}"#, .badTarget),
        (#"{"type":"t","to":["broadcast:"]}"#, .badTarget), (#"{"type":"t","to":["broadcast:x"]}"#, .badTarget),
        (#"{"type":"t","to":["conversation:1"]}"#, .badTarget), (#"{"type":"t","to":["user:\n"]}"#, .badTarget),
        (#"{"type":"t","to":["User:a"]}"#, .badTarget),
        (#"{"type":"t","to":["user:a"],"title":1}"#, .badTitle), (#"{"type":"t","to":["user:a"],"title":["x"]}"#, .badTitle),
        (#"{"type":"t","to":["user:a"],"title":{}}"#, .badTitle), (#"{"type":"t","to":["user:a"],"title":{"fr":1}}"#, .badTitle),
        (#"{"type":"t","to":["user:a"],"title":{"f":"x"}}"#, .badTitle),
        (#"{"type":"t","to":["user:a"],"title":{"fr_FR":"x"}}"#, .badTitle),
        (#"{"type":"t","to":["user:a"],"title":{"fr-":"x"}}"#, .badTitle), (#"{"type":"t","to":["user:a"],"body":{"fr":null}}"#, .badBody),
        (#"{"type":"t","to":["user:a"],"body":false}"#, .badBody), (#"{"type":"t","to":["user:a"],"priority":"urgent"}"#, .badPriority),
        (#"{"type":"t","to":["user:a"],"priority":1}"#, .badPriority), (#"{"type":"t","to":["user:a"],"form":"Full"}"#, .badForm),
        (#"{"type":"t","to":["user:a"],"context":7}"#, .badContext), (#"{"type":"t","to":["user:a"],"context":[]}"#, .badContext),
        (#"{"type":"t","to":["user:a"],"link":7}"#, .badLink), (#"{"type":"t","to":["user:a"],"link":""}"#, .badLink),
        (#"{"type":"t","to":["user:a"],"link":"javascript:alert(1)"}"#, .badLink),
        (#"{"type":"t","to":["user:a"],"link":"//evil.org"}"#, .badLink),
        ("{\"type\":\"t\",\"to\":[\"user:a\"],\"link\":\"//\u{301}evil.org\"}", .badLink),
        (#"{"type":"t","to":["user:a"],"link":"/\\evil.org"}"#, .badLink), (#"{"type":"t","to":["user:a"],"link":" https://a"}"#, .badLink),
        (#"{"type":"t","to":["user:a"],"link":"https://"}"#, .badLink), (#"{"type":"t","to":["user:a"],"link":"page"}"#, .badLink),
        (#"{"type":"t","to":["user:a"],"group":""}"#, .badGroup), (#"{"type":"t","to":["user:a"],"group":1}"#, .badGroup),
        (#"{"type":"t","to":["user:a"],"collapse":"\u007f"}"#, .badCollapse),
        (#"{"type":"t","to":["user:a"],"expiresAt":"soon"}"#, .badExpiresAt),
        (#"{"type":"t","to":["user:a"],"expiresAt":-1}"#, .badExpiresAt), (#"{"type":"t","to":["user:a"],"expiresAt":1.5}"#, .badExpiresAt),
        (#"{"type":"t","to":["user:a"],"expiresAt":253402300800000}"#, .badExpiresAt),
        (#"{"type":"t","to":["user:a"],"receipt":"yes"}"#, .badReceipt),
        (#"{"type":"t","to":["user:a"],"receipt":1}"#, .badReceipt),
        (#"{"to":"user:a","retract":"x"}"#, .badRetract), (#"{"to":"user:a","retract":{}}"#, .badRetract),
        (#"{"to":"user:a","retract":{"id":1}}"#, .badRetract), (#"{"to":"user:a","retract":{"id":""}}"#, .badRetract),
        (#"{"to":"user:a","retract":{"source":"s"}}"#, .badRetract), (#"{"to":"user:a","retract":{"id":"1","source":"\n"}}"#, .badRetract),
        (#"{"to":"user:a","retract":{"id":"1","group":"g"}}"#, .badRetract),
        (#"{"to":"user:a","retract":{"group":"g","source":"s"}}"#, .badRetract),
        (#"{"to":"user:a","retract":{"id":"1"},"title":"t"}"#, .badRetract),
        (#"{"to":"user:a","retract":{"id":"1"},"group":"g"}"#, .badRetract),
        (#"{"retract":{"id":"1"}}"#, .noTargets), (#"{"to":"x","retract":{"id":"1"}}"#, .badTarget),
        (#"{"type":1,"to":"user:a","retract":{"id":"1"}}"#, .badType), (#"{"type":"t","to":"user:a","retract":null,"title":1}"#, .badTitle),
        (#"{"op":"c","before":null,"after":{"id":1},"source":{"table":"x"}}"#, .unsupportedShape),
        (#"{"schema":{},"payload":{"op":"u","before":null,"after":{},"source":{}}}"#, .unsupportedShape),
        (#"{"specversion":"1.0"}"#, .badCloudEvent),
    ]

    @Test("A refusal names the invalid member of an event", arguments: rejections)
    func rejects(value: String, reason: EventRejectionReason) {
        let rejection = rejection(value)
        #expect(rejection?.reason == reason)
        #expect(rejection?.detail.isEmpty == false)
        #expect(rejection?.detail.contains("\n") == false)
    }

    @Test("A size at the limit is accepted, one byte more is refused")
    func sizes() {
        var limits = EventLimits()
        limits.targets = 2
        limits.contentBytes = 13
        limits.recordBytes = 100
        func reason(_ value: String) -> EventRejectionReason? { rejection(value, [], limits)?.reason }
        #expect(reason(#"{"type":"t","to":["user:a","user:b"],"title":"é"}"#) == nil)
        #expect(reason(#"{"type":"t","to":["user:a","user:b","user:a"]}"#) == .tooManyTargets)
        #expect(reason(#"{"type":"t","to":["user:a"],"title":"éx"}"#) == nil)
        #expect(reason(#"{"type":"t","to":["user:a"],"title":"éxx"}"#) == .tooLarge)
        #expect(reason(#"{"type":"t","to":["user:a"]}"# + String(repeating: " ", count: 72)) == nil)
        #expect(reason(#"{"type":"t","to":["user:a"]}"# + String(repeating: " ", count: 73)) == .tooLarge)
    }

    @Test("A record without a value is discarded, with any headers")
    func tombstone() {
        #expect(EventDecoder().decode(record(nil)) == .discard(.tombstone))
        #expect(EventDecoder().decode(record(nil, [("ce_specversion", "1.0")], key: "k")) == .discard(.tombstone))
    }

    @Test("A record without an id has the same id when it is read again, and another id in a recreated topic")
    func derivedID() throws {
        func identity(_ change: (inout EventRecord) -> Void = { _ in }) throws -> [String] {
            var record = record(#"{"type":"t","to":["user:a"]}"#, key: "k")
            change(&record)
            guard case .entries(let drafts) = EventDecoder().decode(record) else { return [] }
            return drafts.flatMap { [$0.source, $0.id] }
        }
        let original = try identity()
        #expect(original == ["kafka:hub.events", "3:42:1700000000000:d1ce6d71e684b3f2"])
        #expect(try identity() == original)
        #expect(try identity { $0.headers = [.init("x", nil)] } == original)
        let changes: [(inout EventRecord) -> Void] = [
            { $0.topic = "other" }, { $0.partition = 4 }, { $0.offset = 43 }, { $0.timestamp = 1 }, { $0.timestamp = nil },
            { $0.key = nil },
            { $0.key = [] }, { $0.value?.append(0x20) }, { $0.key?.append(0x20) },
        ]
        var seen = Set([original])
        for change in changes { #expect(seen.insert(try identity(change)).inserted) }
    }

    // MARK: Trace

    @Test("The trace comes from the extension, else from the record's header; a malformed trace is ignored")
    func traces() {
        let other = trace(parent: "1111111111111111")
        let structured = "{\(Self.envelope),\"traceparent\":\"\(other)\",\"data\":\(Self.data)}"
        #expect(drafts(structured, [("traceparent", Self.trace)]).map(\.trace) == [other])
        #expect(drafts(structured.replacing(other, with: "junk"), [("traceparent", Self.trace)]).map(\.trace) == [Self.trace])
        #expect(drafts(Self.data, Self.attributes + [("ce_traceparent", other)]).map(\.trace) == [other])
        for bad in ["", "x", Self.trace.uppercased(), Self.trace + "0", "ff" + Self.trace.dropFirst(2), trace(parent: "0000000000000000")] {
            #expect(drafts(#"{"id":"1","type":"t","to":"user:a"}"#, [("traceparent", bad)]).map(\.trace) == [nil])
        }
    }

    private func trace(parent: String) -> String { "00-0af7651916cd43dd8448eb211c80319c-\(parent)-01" }

    // MARK: Damage

    @Test(
        "A truncated record is refused and never traps; accepted content can be inserted into a frame",
        arguments: [
            ("{\(envelope),\"data\":\(data)}", []), (data, attributes),
            (#"{"type":"t","to":["user:a"],"title":{"fr":"\u00e9"},"data":[1,{"a":2}]}"#, []),
            ("[{\(envelope),\"data\":\(data)}]", [("content-type", "application/cloudevents-batch+json")]),
        ])
    func damage(value: String, headers: [(String, String)]) throws {
        let whole = record(value, headers)
        let bytes = Array(value.utf8)
        for cut in bytes.indices {
            var cutRecord = whole
            cutRecord.value = Array(bytes[..<cut])
            guard case .rejected = EventDecoder().decode(cutRecord) else {
                Issue.record("accepted when cut at \(cut)")
                continue
            }
        }
        for i in bytes.indices {
            for byte: UInt8 in [0x00, 0x20, 0x22, 0x2C, 0x30, 0x5B, 0x5C, 0x5D, 0x7B, 0x7D, 0xC3, 0xFF] {
                var damaged = whole
                damaged.value?[i] = byte
                guard case .entries(let drafts) = EventDecoder().decode(damaged) else { continue }
                for draft in drafts {
                    #expect(throws: Never.self) { try JSONValue.parse("{\(draft.content)}", limits: JSONLimits(refusesNUL: true)) }
                }
            }
        }
    }

    @Test("docs/reference/events.md has the code's reasons, and its examples are accepted")
    func document() throws {
        let document = try String(contentsOf: ProtocolDocumentTests.root.appending(path: "docs/reference/events.md"), encoding: .utf8)
        let begin = try #require(document.range(of: "<!-- reasons:begin -->\n"))
        let end = try #require(document.range(of: "<!-- reasons:end -->"))
        #expect(document[begin.upperBound..<end.lowerBound] == EventRejectionReason.markdownTable)
        let examples = document.split(separator: "```json").dropFirst().compactMap { $0.split(separator: "```").first }
        #expect(examples.count == 4)
        for example in examples {
            let isBinary = example.hasPrefix(" binary\n")
            let value = String(example.drop { $0 != "\n" })
            let headers = isBinary ? Self.attributes + [("content-type", "application/json")] : []
            switch EventDecoder().decode(record(value, headers)) {
            case .entries, .retracting(_, _, nil): continue
            case let other: Issue.record("\(other): \(value)")
            }
        }
    }

    @Test("Every reason is explained once")
    func reasons() {
        let table = EventRejectionReason.markdownTable
        for reason in EventRejectionReason.allCases {
            #expect(table.contains("| `\(reason.rawValue)` | \(reason.meaning) |\n"))
            #expect(reason.meaning.hasSuffix("."))
        }
        #expect(Set(EventRejectionReason.allCases.map(\.meaning)).count == EventRejectionReason.allCases.count)
        let tested = Set(Self.rejections.map(\.1)).union([
            .tooLarge, .tooManyTargets, .unsupportedContentType, .base64Data, .missingData, .emptyBatch, .badCloudEvent,
            .tooManyRetractions,
        ])
        #expect(tested == Set(EventRejectionReason.allCases))
    }
}

import ChangeCapture
import HangGuard
import Testing

@Suite("Forms beside the envelope", .guarded)
struct RecordFormTests {
    private func decode(_ record: ChangeRecord, _ options: ChangeOptions = ChangeOptions()) -> Change {
        ChangeDecoder(options).decoded(record)
    }

    // MARK: 19: ExtractNewRecordState

    private let flattened =
        #"{"id":1,"title":"a","__op":"u","__table":"note","__schema":"public","__db":"portal","__lsn":100,"__txId":7,"__source_ts_ms":1000}"#

    @Test("19: a flattened row has its metadata in members, and is the same change as the envelope")
    func flattenedRow() throws {
        let change = try #require(decode(Records.record("portal.public.note", #"{"id":1}"#, flattened)).row)
        #expect(change.after?.columns == [Column("id", .int(1)), Column("title", .string("a"))] && change.before == nil)
        #expect(change.operation == .update && change.table == TableName(table: "note") && change.source.committedAt == 1_000_000)
        #expect(change.id != nil && change.id == decode(Records.envelope("u", after: #"{"id":1,"title":"a"}"#)).row?.id)
        let schema =
            #"{"type":"struct","fields":[{"field":"id","type":"int64"},{"field":"title","type":"string","name":"io.debezium.data.Json"}]}"#
        let wrapped = flattened.replacing(#""a""#, with: #""[1]""#)
        let typed = decode(Records.record("t", nil, #"{"schema":\#(schema),"payload":\#(wrapped)}"#)).row
        #expect(typed?.after?["title"] == .json("[1]"))
    }

    @Test("19: the metadata may be headers, and the table that of the topic; the LSN is needed for an identity only")
    func flattenedHeaders() throws {
        let headers = [("__op", "c"), ("__lsn", "100"), ("__db", #""portal""#), ("__txId", "7")]
        let change = try #require(decode(Records.record("portal.public.note", #"{"id":1}"#, #"{"id":1}"#, headers)).row)
        #expect(change.operation == .insert && change.id == decode(Records.envelope("c", after: #"{"id":1}"#)).row?.id)
        let bare = try #require(decode(Records.record("portal.public.note", #"{"id":1}"#, #"{"id":1}"#, [("__op", "r")])).row)
        #expect(bare.operation == .snapshotRead && bare.id == nil && bare.table == TableName(table: "note"))
        #expect(decode(Records.record("t", nil, #"{"id":1,"__op":"c","__lsn":"x"}"#)).rejection?.reason == .badValue)
    }

    @Test("19: __deleted is a text; without an operation a row that is not deleted is rejected")
    func flattenedDelete() throws {
        let change = try #require(decode(Records.record("p.public.note", #"{"id":1}"#, #"{"id":1,"title":"","__deleted":"true"}"#)).row)
        #expect(change.operation == .delete && change.after == nil)
        #expect(change.before?.columns == [Column("id", .int(1)), Column("title", .unavailable)])
        let kept = decode(Records.record("p.public.note", #"{"id":1}"#, #"{"id":1,"__deleted":"false"}"#))
        #expect(kept.rejection?.reason == .missingMember)
        #expect(decode(Records.record("p.public.note", #"{"id":1}"#, #"{"id":1,"__deleted":"false","__op":"c"}"#)).kind == "insert")
        let headers = [("__op", "d"), ("__lsn", "100")]
        let tombstone = try #require(decode(Records.record("p.public.note", #"{"id":1}"#, nil, headers)).row)
        #expect(decode(Records.record("p.public.note", #"{"id":1}"#, nil, [("__op", "d")])).kind == "tombstone")
        #expect(tombstone.operation == .delete && tombstone.before == nil && tombstone.key?.text == #"{"id":1}"#)
    }

    @Test("19: the prefixes are settings")
    func flattenedPrefixes() throws {
        var options = ChangeOptions()
        (options.flattenedFieldPrefix, options.flattenedHeaderPrefix) = ("cdc.", "h.")
        let change = try #require(decode(Records.record("p.s.t", nil, #"{"__x":1,"cdc.op":"c"}"#, [("h.table", "u")]), options).row)
        #expect(change.after?.columns == [Column("__x", .int(1))] && change.table == TableName(schema: "s", table: "u"))
        options.flattenedFieldPrefix = ""
        #expect(decode(Records.record("p.s.t", nil, #"{"x":1,"op":"c","lsn":5}"#), options).row?.after?.columns == [Column("x", .int(1))])
    }

    // MARK: 20: the outbox event router

    private func outbox(_ value: String?, key: String? = #""7""#, id: String? = "e1") -> OutboxEvent? {
        let headers = id.map { [("id", $0), ("eventType", "Shared"), ("tenant", #""u""#), ("__debezium.context.taskId", "0")] } ?? []
        if case .outbox(let event) = decode(Records.record("outbox.event.portfolio", key, value, headers)) { return event }
        return nil
    }

    @Test("20: an outbox event has its id, type and headers; the payload is JSON text in each form")
    func outboxEvent() throws {
        let event = try #require(outbox(#""{\"a\": 1}""#))
        #expect(event.id == "e1" && event.aggregateType == "portfolio" && event.aggregateID == "7" && event.type == "Shared")
        #expect(event.headers.map(\.name) == ["eventType", "tenant"] && event.headers.map(\.text) == ["Shared", "u"])
        for (value, payload) in [
            (#""{\"a\": 1}""#, #"{"a":1}"#), (#"{"a":1}"#, #"{"a":1}"#), (#"{"schema":{"type":"string"},"payload":"[1]"}"#, "[1]"),
            ("[1,null]", "[1,null]"), (#""\"text\"""#, #""text""#), (#""not json""#, #""not json""#), ("not json", #""not json""#),
            ("7", "7"), (#""""#, #""""#), (#""null""#, "null"),
        ] {
            #expect(outbox(value)?.payload == payload, "\(value)")
        }
        // `table.fields.additional.placement=type:envelope`
        for (value, payload) in [
            (#"{"payload":"{\"a\": 1}","eventType":"Shared"}"#, #"{"a":1}"#), (#"{"payload":{"a":1},"tenant":7}"#, #"{"a":1}"#),
            (#"{"payload":"not json","tenant":null}"#, #""not json""#),
            (#"{"payload":1}"#, #"{"payload":1}"#), (#"{"payload":1,"to":"user:a"}"#, #"{"payload":1,"to":"user:a"}"#),
            (#"{"payload":1,"more":{}}"#, #"{"payload":1,"more":{}}"#),
        ] {
            #expect(outbox(value)?.payload == payload, "\(value)")
        }
        #expect(outbox(#"{"payload":null,"tenant":"u"}"#).map { $0.payload == nil } == true)
        for none in [nil, "null", #"{"schema":null,"payload":null}"#] { #expect(outbox(none).map { $0.payload == nil } == true) }
        for (key, id) in [
            ("7", "7"), (#""id with space""#, "id with space"), ("id with space", "id with space"),
            (#"{"schema":{"type":"string"},"payload":"7"}"#, "7"),
        ] {
            #expect(outbox("1", key: key)?.aggregateID == id)
        }
        #expect(outbox("1", key: nil).map { $0.aggregateID == nil } == true)
    }

    @Test("20: an outbox event without id, or with U+0000, is rejected")
    func outboxRejections() {
        #expect(
            decode(Records.record("outbox.event.portfolio", nil, "1")).rejection?.detail
                == "header id: expected the event's id, found no header")
        for value in [#""{\"a\":\"\\u0000\"}""#, #"{"a":"\u0000"}"#, "a\u{0}"] {
            #expect(decode(Records.record("outbox.event.a", nil, value, [("id", "1")])).rejection?.reason == .nulCharacter)
        }
        var record = Records.record("outbox.event.a", nil, "", [("id", "1")])
        record.value = [0xFF]
        #expect(decode(record).rejection?.reason == .notJSON)
    }

    @Test("20: the captured outbox events have the payloads of the table, as texts and expanded")
    func capturedOutbox() throws {
        func events(_ file: Captured) throws -> [String: OutboxEvent] {
            var decoder = ChangeDecoder()
            let events = try file.records().compactMap { if case .outbox(let event) = decoder.decode($0) { event } else { nil } }
            return Dictionary(events.map { ($0.id, $0) }) { first, _ in first }
        }
        func id(_ number: Int) -> String {
            "00000000-0000-0000-0000-" + String(repeating: "0", count: 12 - String(number).count) + String(number)
        }
        let (texts, expanded) = (try events(.outbox), try events(.outboxExpanded))
        for events in [texts, expanded] {
            #expect(events[id(2)]?.aggregateType == "user_privilege" && events[id(2)]?.aggregateID == "2")
            #expect(events[id(5)]?.payload == #"[1,"deux",null]"# && events[id(6)]?.payload == #""just a string""#)
            #expect(events[id(8)]?.aggregateType == "Mixed Case/éà" && events[id(8)]?.aggregateID == "id with space")
            #expect(events["00000000-0000-0000-0000-000000000032"].map { $0.payload == nil } == true)
        }
        #expect(texts[id(1)]?.payload == expanded[id(1)]?.payload && texts[id(4)]?.payload == "{}" && expanded[id(4)]?.payload == "{}")
    }

    // MARK: CloudEvents

    private func cloudEvent(_ data: String, _ more: String = "") -> ChangeRecord {
        Records.record(
            "t", #"{"id":1}"#,
            #"{"id":"name:portal;lsn:100;txId:7","source":"/debezium/postgresql/portal","specversion":"1.0","#
                + #""type":"io.debezium.connector.postgresql.DataChangeEvent","time":"1970-01-01T00:00:01.000Z","#
                + #""datacontenttype":"application/json","iodebeziumop":"u","iodebeziumversion":"3.6.3.Final","#
                + #""iodebeziumconnector":"postgresql","iodebeziumname":"portal","iodebeziumtsms":"1000","iodebeziumsnapshot":"false","#
                + #""iodebeziumdb":"portal","iodebeziumschema":"public","iodebeziumtable":"note","iodebeziumlsn":"100","#
                + #""iodebeziumxmin":null,"iodebeziumtxid":"7"\#(more),"data":\#(data)}"#)
    }

    @Test("A CloudEvent of Debezium is the same change as the envelope")
    func cloudEvents() throws {
        let change = try #require(decode(cloudEvent(#"{"before":{"id":1,"n":1},"after":{"id":1,"n":2}}"#)).row)
        #expect(change.after?["n"] == .int(2) && change.before?["n"] == .int(1) && change.source.committedAt == 1_000_000)
        #expect(change.transaction == nil && change.id == decode(Records.envelope("u", after: #"{"id":1}"#)).row?.id)
        let fields = #"[{"field":"after","type":"struct","fields":[{"field":"n","type":"int32","name":"io.debezium.time.Date"}]}]"#
        let data = #"{"schema":{"type":"struct","fields":\#(fields)},"payload":{"before":null,"after":{"n":2}}}"#
        #expect(decode(cloudEvent(data)).row?.after?["n"] == .date(2))
        let order = #","iodebeziumtxtotalorder":"3","iodebeziumtxdatacollectionorder":"2""#
        #expect(decode(cloudEvent(#"{"before":null,"after":{}}"#, order)).row?.transaction?.totalOrder == 3)
    }

    @Test("A CloudEvent with Avro data, or of another producer, is rejected")
    func otherCloudEvents() {
        #expect(decode(cloudEvent(#""AAAAAAEAAgICAg==""#)).rejection?.reason == .unsupportedEncoding)
        #expect(
            decode(Records.record("t", nil, #"{"specversion":"1.0","id":"1","type":"x","source":"/s"}"#)).rejection?.reason == .unknownForm)
    }

    // MARK: The platform's own records

    @Test("The platform's record has metadata, rows and an audience")
    func platform() throws {
        let value =
            #"{"metadata":{"id":"m1","priority":"HIGH","type":"NOTIFICATION","emitter":"portfolio","source":"srv","topic":"review","#
            + #""operation":"UPDATE","timestamp":"2025-03-01T10:00:00Z","expiration":1740826800000},"#
            + #""payload":{"before":null,"after":{"id":1}},"routing":{"audience":{"type":"USER","targets":["zoe",12]},"#
            + #""retry":{"ack_required":true,"attempts":0,"limit":5,"backoff":"PT1M"}}}"#
        guard case .platform(let record) = decode(Records.record("rt", nil, value)) else { throw Unexpected() }
        #expect(record.id == "m1" && record.kind == .notification && record.priority == "HIGH" && record.operation == "UPDATE")
        #expect(record.at == 1_740_823_200_000_000 && record.expiresAt == 1_740_826_800_000_000)
        #expect(record.before == nil && record.after == #"{"id":1}"# && record.audiences.map(\.targets) == [["zoe", "12"]])
        #expect(
            record.retry?.requiresAck == true && record.retry?.attempts == 0 && record.retry?.limit == 5 && record.retry?.backoff == "PT1M")
        for (from, to, detail) in [
            (#""NOTIFICATION""#, #""X""#, "metadata.type: expected REALTIME, SYSTEM, NOTIFICATION, found another text"),
            (#""id":"m1","#, "", "metadata.id: expected a value, found no member"),
            (#"["zoe",12]"#, "[true]", "routing.audience.targets[0]: expected a string or number, found bool"),
            (
                #""2025-03-01T10:00:00Z""#, #""soon""#,
                "metadata.timestamp: expected milliseconds or an ISO 8601 timestamp, found another string"
            ),
        ] {
            #expect(decode(Records.record("rt", nil, value.replacing(from, with: to))).rejection?.detail == detail)
        }
    }

    @Test("The first version's record has an audience, a priority and texts")
    func notice() throws {
        let value = #"{"audience":["*"],"priority":"LOW","type":"UI","header":"h","body":"b","footer":null}"#
        guard case .notice(let notice) = decode(Records.record("avenirs-notification", nil, value)) else { throw Unexpected() }
        #expect(notice.audience == ["*"] && notice.priority == .low && notice.kind == .ui && notice.body == "b" && notice.footer == nil)
        #expect(
            decode(Records.record("t", nil, value.replacing("LOW", with: "X"))).rejection?.detail
                == "priority: expected LOW, MEDIUM, HIGH, found another text")
    }
}

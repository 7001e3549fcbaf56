import ChangeCapture
import HangGuard
import Testing

/// What Debezium's documents and its records say, one test for each fact.
@Suite("Facts about Debezium", .guarded)
struct DebeziumFactTests {
    private func decode(_ record: ChangeRecord, _ options: ChangeOptions = ChangeOptions()) -> Change {
        ChangeDecoder(options).decoded(record)
    }

    @Test("1: the table is that of the source, whatever the topic; transactions and heartbeats are recognized on any topic")
    func topics() {
        #expect(decode(Records.envelope("c", after: #"{"id":1}"#, topic: "renamed")).row?.table == TableName(table: "note"))
        let begin = #"{"status":"BEGIN","id":"7:100","event_count":null,"data_collections":null,"ts_ms":1}"#
        #expect(decode(Records.record("renamed", nil, begin)).kind == "BEGIN")
        #expect(decode(Records.record("renamed", #"{"serverName":"portal"}"#, #"{"ts_ms":1}"#)).kind == "heartbeat")
        #expect(decode(Records.record("__debezium-heartbeat.portal", nil, #"{"ts_ms":1}"#)).kind == "heartbeat")
    }

    @Test("2: key and value have or have no schemas independently; only an object of exactly schema and payload is a wrapper")
    func wrappings() throws {
        let keySchema = #"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"}],"optional":false,"name":"k"}"#
        let plain = Records.envelope("c", after: #"{"id":1}"#)
        let value = String(decoding: try #require(plain.value), as: UTF8.self)
        let wrapped = #" { "payload" : \#(value) , "schema" : {"type":"struct","fields":[]} } "#
        for key in [#"{"id":1}"#, #"{"schema":\#(keySchema),"payload":{"id":1}}"#] {
            for value in [
                value, wrapped, #"{"schema":{"type":"struct","fields":[]},"payload":\#(value)}"#, #"{"schema":null,"payload":\#(value)}"#,
            ] {
                #expect(decode(Records.record("t", key, value)) == decode(plain))
            }
        }
        for other in [
            #"{"schema":{},"payload":\#(value)}"#, #"{"schema":{"type":"x"},"payload":\#(value),"more":1}"#, #"{"payload":\#(value)}"#,
        ] {
            #expect(decode(Records.record("t", nil, other)).rejection?.reason == .unknownForm)
        }
    }

    @Test("3: the envelope's time is that of the connector, the source's that of the commit; numbers may be texts")
    func times() {
        let change = decode(Records.envelope("c", after: #"{"id":1}"#)).row
        #expect(change?.source.committedAt == 1_000_123 && change?.source.capturedAt == 1_500_000)
        let source = #"{"db":"portal","schema":"public","table":"note","ts_ms":"1000","txId":"7","lsn":"100"}"#
        let texts = decode(Records.envelope("c", after: #"{"id":1}"#, source: source)).row
        #expect(texts?.source.committedAt == 1_000_000 && texts?.source.lsn == 100 && texts?.id == change?.id)
    }

    @Test("4: each operation has its kind; an unknown one is rejected")
    func operations() {
        let row = #"{"id":1}"#
        #expect(decode(Records.envelope("c", after: row)).kind == "insert")
        #expect(decode(Records.envelope("u", after: row)).kind == "update")
        #expect(decode(Records.envelope("d", before: row)).kind == "delete")
        #expect(decode(Records.envelope("r", after: row)).kind == "snapshotRead")
        #expect(decode(Records.envelope("t", key: nil)).kind == "truncate")
        #expect(decode(Records.envelope("x", after: row)).rejection?.reason == .unknownOperation)
        for missing in ["c", "u", "r"] {
            let rejection = decode(Records.envelope(missing)).rejection
            #expect(rejection?.reason == .missingMember && rejection?.detail == "after: expected a value, found null")
        }
    }

    @Test("5: source.snapshot is a text or a boolean, source.sequence a text")
    func source() {
        for (json, text) in [(#""first""#, "first"), ("true", "true"), ("false", "false"), ("null", "false"), (#""last""#, "last")] {
            let source = #"{"db":"p","schema":"s","table":"t","snapshot":\#(json),"sequence":"[null,\"5\"]"}"#
            let change = decode(Records.envelope("r", after: "{}", source: source)).row
            #expect(change?.source.snapshot == text && change?.source.sequence == #"[null,"5"]"# && change?.id == nil)
        }
    }

    @Test("6: rows of a snapshot are told from inserts, and those of an incremental snapshot from both")
    func snapshots() {
        let source = Records.source.replacing(#""snapshot":"false""#, with: #""snapshot":"incremental""#)
        #expect(decode(Records.envelope("r", after: "{}", source: source)).row?.operation == .incrementalSnapshotRead)
        #expect(decode(Records.envelope("c", after: "{}", source: source)).row?.operation == .insert)
    }

    @Test("7: under REPLICA IDENTITY DEFAULT a delete has only its key; with FULL, and without a key, it has the row")
    func oldRows() {
        let delete = Records.envelope("d", before: #"{"id":1,"title":"","at":null}"#)
        let masked = [Column("id", .int(1)), Column("title", .unavailable), Column("at", .unavailable)]
        #expect(decode(delete).row?.before?.columns == masked && decode(delete).row?.after == nil)
        var options = ChangeOptions()
        options.fullTables = [TableName(table: "note")]
        let whole = [Column("id", .int(1)), Column("title", .string("")), Column("at", .null)]
        #expect(decode(delete, options).row?.before?.columns == whole)
        var withoutKey = delete
        withoutKey.key = nil
        #expect(decode(withoutKey).row?.before?.columns == whole)
        let update = decode(Records.envelope("u", after: #"{"id":1}"#)).row
        #expect(update?.before == nil && update?.showsOldRow == false)
        let full = decode(Records.envelope("u", before: #"{"id":1,"title":"a"}"#, after: #"{"id":1,"title":"b"}"#)).row
        #expect(full?.before?["title"] == .string("a") && full?.showsOldRow == true)
        #expect(decode(Records.envelope("d")).row.map { $0.before == nil } == true)
    }

    @Test("8: the record without a value after a delete is a tombstone with the key")
    func tombstones() {
        for value in [nil, "null", #"{"schema":null,"payload":null}"#] {
            guard case .tombstone(let tombstone) = decode(Records.record("portal.public.note", #"{"id":1}"#, value)) else {
                Issue.record("no tombstone")
                return
            }
            #expect(tombstone.key?.text == #"{"id":1}"#)
        }
        #expect(decode(Records.record("t", "Struct{id=1}", nil)).kind == "tombstone")
    }

    @Test("9: both records of a key change have the old and the new key")
    func keyChanges() throws {
        let changes = try Captured.schemasOff.records().compactMap { decode($0).row }.filter { $0.keyChange != nil }
        #expect(changes.map(\.operation) == [.delete, .insert, .delete, .insert])
        for (delete, insert) in [(changes[0], changes[1]), (changes[2], changes[3])] {
            #expect(delete.keyChange == insert.keyChange && delete.key == delete.keyChange?.from && insert.key == insert.keyChange?.to)
            #expect(delete.source.lsn == insert.source.lsn && delete.id != insert.id)
        }
        #expect(changes[0].keyChange?.from.text == #"{"id":1001}"# && changes[0].keyChange?.to.text == #"{"id":1002}"#)
        let broken = Records.envelope("c", after: #"{"id":2}"#, headers: [("__debezium.oldkey", "Struct{id=1}")])
        #expect(decode(broken).rejection?.reason == .keyNotJSON)
    }

    @Test("10: a table without a key has records without one; a key that is not JSON is rejected")
    func keys() {
        let change = decode(Records.envelope("c", after: #"{"a":1}"#, key: nil)).row
        #expect(change != nil && change?.key == nil && change?.id != nil)
        #expect(decode(Records.envelope("c", after: #"{"a":1}"#, key: "Struct{id=1}")).rejection?.reason == .keyNotJSON)
        let composite = decode(Records.envelope("c", after: "{}", key: #"{ "b" : "\u00e9/" , "a" : 1 }"#)).row?.key
        #expect(composite?.text == #"{"a":1,"b":"é/"}"# && composite?.columns == [Column("b", .string("é/")), Column("a", .int(1))])
        #expect(decode(Records.envelope("c", after: "{}", key: "7")).row?.key?.text == "7")
    }

    @Test("11: a truncate of several tables is one record for each, with the same LSN and different identities")
    func truncates() throws {
        var truncates: [Truncate] = []
        for record in try Captured.schemasOn.records() { if case .truncate(let truncate) = decode(record) { truncates.append(truncate) } }
        #expect(truncates.map(\.table.table) == ["audit_note", "user_privilege", "audit_note"])
        #expect(
            truncates[1].source.lsn == truncates[2].source.lsn && truncates[1].id != truncates[2].id && truncates[0].id != truncates[2].id)
    }

    @Test("12: a logical message has a prefix and bytes, and outside a transaction no position")
    func messages() throws {
        for file in [Captured.schemasOn, .schemasOff] {
            var messages: [LogicalMessage] = []
            for record in try file.records() { if case .message(let message) = decode(record) { messages.append(message) } }
            #expect(
                messages.map { String(decoding: $0.content, as: UTF8.self) } == ["message transactionnel é", "message hors transaction"])
            #expect(messages.map(\.prefix) == ["hub", "hub"] && messages[0].transaction != nil && messages[0].source.transactionID != nil)
            #expect(messages[1].transaction == nil && messages[1].source.transactionID == nil && messages[0].id != messages[1].id)
        }
        let hex = Records.record("t", nil, #"{"op":"m","source":\#(Records.source),"message":{"prefix":"p","content":"00ff"}}"#)
        var options = ChangeOptions()
        options.binaryForm = .hex
        guard case .message(let message) = decode(hex, options) else { throw Unexpected() }
        #expect(message.content == [0, 0xFF])
        options.binaryForm = .base64
        guard case .message(let other) = decode(hex, options) else { throw Unexpected() }
        #expect(other.content == [0xD3, 0x47, 0xDF])
    }

    @Test("13: an unchanged TOAST value is unavailable in each of its forms")
    func toast() throws {
        let rows = try Captured.schemasOff.records().compactMap { decode($0, Captured.options).row }.filter { $0.table.table == "activity" }
        let update = try #require(rows.first { $0.operation == .update })
        #expect(
            update.after?["body"] == .unavailable && update.after?["extra"] == .unavailable && update.after?["grade"] == .decimal("11.25"))
        let text = #""__debezium_unavailable_value""#
        let base64 = #""X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==""#
        let numbers = "[" + "__debezium_unavailable_value".utf8.map { String($0) }.joined(separator: ",") + "]"
        for (json, sql) in [
            (text, "text"), (text, "jsonb"), (text, "numeric(4,2)"), (base64, "bytea"), ("[\(text)]", "text[]"), (numbers, "int[]"),
            (text, "timestamptz"), (#"{\#(text):\#(text)}"#, "hstore"), ("[\(base64)]", "bytea[]"),
        ] {
            #expect(Records.value(json, declared: sql) == .unavailable, "\(sql)")
        }
        #expect(Records.value(base64, "") == .unavailable && Records.value(numbers, "") == .unavailable)
        #expect(Records.value(#""AP8=""#, declared: "bytea") { $0.unavailablePlaceholder = "hex:00ff" } == .unavailable)
        #expect(Records.value(#""?""#, declared: "text") { $0.unavailablePlaceholder = "?" } == .unavailable)
        #expect(Records.value(text, declared: "text") { $0.unavailablePlaceholder = "?" } == .string("__debezium_unavailable_value"))
        #expect(Records.value("[]", declared: "int[]") { $0.unavailablePlaceholder = "" } == .array([]))
    }

    @Test("15: the records of a transaction, its first and its last one share the part of the id before the colon")
    func transactions() throws {
        var decoder = ChangeDecoder()
        var (counted, announced): ([String: Int64], [String: Int64]) = ([:], [:])
        for record in try Captured.schemasOn.records() {
            switch decoder.decode(record) {
            case .row(let change): if let id = change.transaction?.id { counted[id, default: 0] += 1 }
            case .truncate(let truncate): if let id = truncate.transaction?.id { counted[id, default: 0] += 1 }
            case .message(let message): if let id = message.transaction?.id { counted[id, default: 0] += 1 }
            case .transaction(let marker):
                #expect(!marker.id.contains(":") && marker.at != nil && marker.counts.isEmpty == (marker.status == .begin))
                if marker.status == .end {
                    announced[marker.id] = marker.events
                    #expect(marker.events == marker.counts.reduce(0) { $0 + $1.events })
                }
            default: continue
            }
        }
        #expect(counted == announced && counted.count == 51)
        let other = #"{"status":"ABORT","id":"7:100","event_count":null,"data_collections":null,"ts_ms":1}"#
        #expect(decode(Records.record("t", nil, other)).rejection?.reason == .badValue)
    }

    @Test("16: the identity needs operation, table, key, LSN, transaction and database, and nothing else")
    func identity() {
        let row = #"{"id":1}"#
        let id = decode(Records.envelope("c", after: row)).row?.id
        #expect(id != nil && id == decode(Records.envelope("c", after: #"{"id":1,"x":2}"#, topic: "other")).row?.id)
        for other in [
            Records.envelope("u", after: row), Records.envelope("c", after: row, key: #"{"id":2}"#),
            Records.envelope("c", after: row, source: Records.source.replacing(#""lsn":100"#, with: #""lsn":101"#)),
            Records.envelope("c", after: row, source: Records.source.replacing(#""txId":7"#, with: #""txId":8"#)),
            Records.envelope("c", after: row, source: Records.source.replacing(#""db":"portal""#, with: #""db":"other""#)),
            Records.envelope("c", after: row, source: Records.source.replacing(#""table":"note""#, with: #""table":"not""#)),
            Records.envelope("c", after: row, source: Records.source.replacing(#""schema":"public""#, with: #""schema":"p""#)),
        ] {
            #expect(decode(other).row?.id != nil && decode(other).row?.id != id)
        }
        let withoutKey = Records.envelope("c", after: row, key: nil)
        #expect(decode(withoutKey).row?.id != decode(Records.envelope("c", after: #"{"id":2}"#, key: nil)).row?.id)
        let second = Records.envelope("c", after: row, transaction: #"{"id":"7:100","total_order":2,"data_collection_order":1}"#, key: nil)
        #expect(decode(withoutKey).row?.id != decode(second).row?.id)
        #expect(decode(Records.envelope("c", after: row)).row?.id?.description.utf8.count == 32)
    }

    @Test("17: a change has its order in the transaction and in the table")
    func order() {
        let transaction = #"{"id":"7:99","total_order":3,"data_collection_order":2}"#
        let position = decode(Records.envelope("c", after: "{}", transaction: transaction)).row?.transaction
        #expect(position?.id == "7" && position?.totalOrder == 3 && position?.tableOrder == 2)
    }

    @Test("18: a heartbeat has the server and the time")
    func heartbeats() throws {
        var decoder = ChangeDecoder()
        let heartbeats = try Captured.schemasOn.records().compactMap { record -> Heartbeat? in
            if case .heartbeat(let heartbeat) = decoder.decode(record) { heartbeat } else { nil }
        }
        #expect(heartbeats.count == 5 && heartbeats.allSatisfy { $0.server == "eportfolio" && $0.at > 1_795_464_000_000_000 })
        #expect(decode(Records.record("__debezium-heartbeat.p", nil, #"{"ts_ms":{}}"#)).rejection?.reason == .wrongKind)
    }

    @Test("21: signals, notifications and schema changes are ignored")
    func signals() {
        let signal = #"{"type":"execute-snapshot","data":{"data-collections":["public.note"],"type":"INCREMENTAL"}}"#
        #expect(decode(Records.record("signals", "portal", signal)) == .ignored(.signal))
        let source = Records.source.replacing(#""table":"note""#, with: #""table":"debezium_signal""#)
        #expect(decode(Records.envelope("c", after: #"{"id":"a","type":"log","data":"{}"}"#, source: source)) == .ignored(.signal))
        let notification = #"{"id":"1","aggregate_type":"Initial Snapshot","type":"STARTED","additional_data":{},"timestamp":1}"#
        #expect(decode(Records.record("notifications", nil, notification)) == .ignored(.notification))
        let ddl = #"{"source":{"server":"p"},"position":{},"databaseName":"p","ddl":"ALTER TABLE a","tableChanges":[]}"#
        #expect(decode(Records.record("history", nil, ddl)) == .ignored(.schemaChange))
    }

    @Test("22: columns appear, disappear and change their names; one that is not there is absent")
    func changingColumns() throws {
        for file in [Captured.schemasOn, .schemasOff] {
            var decoder = ChangeDecoder(Captured.options)
            let reviews = try file.records().compactMap { decoder.decode($0).row }.filter { $0.table.table == "peer_review" }
            let (first, last) = (try #require(reviews.first?.after), try #require(reviews.last?.after))
            #expect(first["comment"] != .absent && first["score"] != .absent && first["mark"] == .absent && first["late"] == .absent)
            #expect(last["comment"] == .absent && last["score"] == .absent && last["mark"] != .absent && last["late"] != .absent)
            #expect(reviews.contains { $0.after?["mark"] == .decimal("20.0") })
        }
    }

    @Test("23: a snapshot that is made again has other identities; a record of one that is sent again has the same")
    func newSnapshots() {
        let row = #"{"id":1}"#
        let first = Records.envelope("r", after: row)
        let again = Records.envelope("r", after: row, source: Records.source.replacing(#""lsn":100"#, with: #""lsn":900"#))
        #expect(decode(first).row?.id == decode(first).row?.id && decode(first).row?.id != decode(again).row?.id)
        #expect(decode(first).row?.id != decode(Records.envelope("c", after: row)).row?.id)
    }
}

struct Unexpected: Error {}

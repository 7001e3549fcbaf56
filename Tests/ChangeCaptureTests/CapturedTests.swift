import ChangeCapture
import HangGuard
import Testing

@Suite("Captured records of Debezium", .guarded)
struct CapturedTests {
    @Test(
        "Every captured record has the expected kind",
        arguments: [
            (
                Captured.schemasOn,
                [
                    "insert": 24, "update": 28, "delete": 5, "snapshotRead": 13, "truncate": 3, "message": 2, "BEGIN": 51, "END": 51,
                    "heartbeat": 5, "tombstone": 5,
                ]
            ),
            (
                .schemasOff,
                [
                    "insert": 24, "update": 28, "delete": 5, "snapshotRead": 13, "truncate": 3, "message": 2, "BEGIN": 51, "END": 51,
                    "heartbeat": 5, "tombstone": 5,
                ]
            ),
            (.outbox, ["outbox": 36, "BEGIN": 37, "END": 37, "heartbeat": 4]),
            (.outboxExpanded, ["outbox": 11, "BEGIN": 12, "END": 12, "heartbeat": 4]),
        ])
    func kinds(file: Captured, expected: [String: Int]) throws {
        var decoder = ChangeDecoder()
        var counts: [String: Int] = [:]
        for record in try file.records() { counts[decoder.decode(record).kind, default: 0] += 1 }
        #expect(counts == expected)
    }

    @Test("The rows have the values of the tables")
    func values() throws {
        for file in [Captured.schemasOn, .schemasOff] {
            var decoder = ChangeDecoder(Captured.options)
            let rows = try file.records().compactMap { decoder.decode($0).row }
            let activity = try #require(rows.first { $0.table.table == "activity" })
            #expect(activity.operation == .snapshotRead && activity.before == nil && activity.transaction == nil)
            #expect(activity.key?.text == #"{"id":1}"# && activity.key?.columns == [Column("id", .int(1))])
            let expected: [(String, ColumnValue)] = [
                ("id", .int(1)), ("portfolio_id", .string("11111111-1111-4111-8111-111111111111")), ("kind", .string("essay")),
                ("body", .string("court")), ("extra", .json(#"{"k": "v"}"#)), ("weight", .decimal("3.14159265358979")),
                ("grade", .decimal("15.75")), ("big_amount", .decimal("12345678901234567890123456789.123456789")),
                ("ratio_f8", .double(0.1)), ("ratio_f4", .double(0.1)), ("small_n", .int(-32_768)), ("flag", .bool(true)),
                ("day", .date(19_782)), ("hour", .time(49_530_123_456)), ("hour_tz", .time(42_330_000_000)),
                ("local_ts", .timestamp(1_711_852_200_500_000)), ("ms_ts", .timestamp(1_711_852_200_123_000)),
                ("occurred_at", .timestamp(1_711_848_600_000_000)), ("duration", .duration(37_091_106_700_000)),
                ("raw", .bytes([0, 0xFF, 0x10])), ("ip", .string("192.168.0.1/24")), ("numbers", .array([.int(1), .null, .int(-3)])),
                ("code", .string("ab  ")), ("price", .decimal("12.34")),
                ("span", .string(#"["2024-01-01 00:00:00+00","2024-02-01 00:00:00+00")"#)),
                ("place", .json(#"{"x":1.5,"y":-2.0,"wkb":"AQEAAAAAAAAAAAD4PwAAAAAAAADA","srid":null}"#)), ("doc", .string("<a>é</a>")),
            ]
            #expect(activity.after == Row(expected.map { Column($0.0, $0.1) }))
            let extremes = try #require(rows.first { $0.after?["kind"] == .string("extremes") }?.after)
            #expect(extremes["weight"] == .null && extremes["occurred_at"] == .negativeInfinity && extremes["day"] == .date(-2_440_550))
            let note = try #require(rows.first { $0.after?["note"] == .string("deuxième") })
            #expect(note.after?["at"] == .infinity && note.key == nil)
            let portfolio = try #require(rows.first { $0.after?["owner_id"] == .int(9_007_199_254_740_993) }?.after)
            #expect(portfolio["score"] == .decimal("-0.01") && portfolio["title"] == .string("بوابة / 作品集 / 👩‍👩‍👧"))
            #expect(portfolio["tags"] == .null && portfolio["settings"] == .json("[]"))
            let tags = rows.first { $0.after?["owner_id"] == .int(1) }?.after?["tags"]
            #expect(tags == .array([.string("art"), .string("théâtre, danse"), .null, .string("")]))
        }
    }

    /// The two files are of two runs of one scenario, so only the LSNs and the columns with `now()` differ.
    @Test("Records with and without schemas give the same keys, rows and key changes when the columns are declared")
    func sameRows() throws {
        func rows(_ file: Captured) throws -> [String: [RowChange]] {
            var decoder = ChangeDecoder(Captured.options)
            let changes = try file.records().compactMap { decoder.decode($0).row }.filter { $0.table.table != "heartbeat" }
            return Dictionary(grouping: changes) { $0.table.table }
        }
        func stable(_ row: Row?) -> [Column]? {
            let clocks: Set = ["created_at", "updated_at", "granted_at", "submitted_at", "at"]
            return row?.columns.map { column in
                guard clocks.contains(column.name), case .timestamp = column.value else { return column }
                return Column(column.name, .timestamp(0))
            }
        }
        let (on, off) = (try rows(.schemasOn), try rows(.schemasOff))
        #expect(on.keys.sorted() == off.keys.sorted() && on.values.reduce(0) { $0 + $1.count } == 64)
        for (table, changes) in on {
            let others = try #require(off[table])
            #expect(changes.count == others.count)
            for (a, b) in zip(changes, others) {
                #expect(a.operation == b.operation && a.key?.text == b.key?.text && a.key?.columns == b.key?.columns)
                #expect(a.keyChange == b.keyChange && stable(a.before) == stable(b.before) && stable(a.after) == stable(b.after))
            }
        }
    }

    @Test("Without declared columns and schemas, keys have the same text, and values are those of their JSON kinds")
    func undeclared() throws {
        var (plain, declared) = (ChangeDecoder(), ChangeDecoder(Captured.options))
        for record in try Captured.schemasOff.records() {
            let (a, b) = (plain.decode(record), declared.decode(record))
            #expect(a.kind == b.kind && a.row?.key?.text == b.row?.key?.text && a.row?.id == b.row?.id)
        }
        let first = try #require(
            try Captured.schemasOff.records().compactMap { plain.decode($0).row }.first { $0.table.table == "activity" })
        #expect(first.after?["weight"] == .json(#"{"scale":14,"value":"AR2552okgw=="}"#) && first.after?["grade"] == .string("Bic="))
        #expect(first.after?["local_ts"] == .int(1_711_852_200_500_000) && first.after?["numbers"] == .array([.int(1), .null, .int(-3)]))
    }

    @Test("All changes of a file have different identities, and a record sent again has the same one")
    func identities() throws {
        for file in [Captured.schemasOn, .schemasOff] {
            var decoder = ChangeDecoder()
            var seen: Set<ChangeID> = []
            for record in try file.records() {
                var again = record
                again.offset += 1_000
                again.partition = 3
                again.timestamp = 1
                let change = decoder.decode(record)
                #expect(change.id == ChangeDecoder().decoded(again).id)
                if let id = change.id { #expect(seen.insert(id).inserted) }
            }
            #expect(seen.count == 24 + 28 + 5 + 13 + 3 + 2)
        }
    }

    @Test("A decoder that knows the schemas gives the same results as one that reads each for the first time")
    func cache() throws {
        var decoder = ChangeDecoder()
        for record in try Captured.schemasOn.records() + Captured.schemasOn.records() {
            #expect(decoder.decode(record) == ChangeDecoder().decoded(record))
        }
    }
}

extension Change {
    var id: ChangeID? {
        switch self {
        case .row(let change): change.id
        case .truncate(let truncate): truncate.id
        case .message(let message): message.id
        case .transaction, .heartbeat, .tombstone, .ignored, .outbox, .platform, .notice, .rejected: nil
        }
    }
}

extension ChangeDecoder {
    /// The result of a copy, whose cache is not kept.
    func decoded(_ record: ChangeRecord) -> Change {
        var copy = self
        return copy.decode(record)
    }
}

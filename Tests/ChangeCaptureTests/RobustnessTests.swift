import ChangeCapture
import FuzzBodies
import HangGuard
import TestKit
import Testing

@Suite("Records that are cut, changed or hostile", .guarded)
struct RobustnessTests {
    @Test("Inputs that fuzzers found still pass")
    func corpus() throws {
        let corpus = try FuzzBody.changes.corpus()
        #expect(corpus.count > 20)
        for input in corpus { FuzzBody.changes.run(input) }
    }

    @Test("A record cut at any place is rejected or, before its value begins, a tombstone")
    func cuts() throws {
        let records = try Captured.schemasOff.records().filter { $0.value.map { $0.count < 2_000 } ?? false }
        var decoder = ChangeDecoder(Captured.options)
        var cuts = 0
        for record in [records[0], records[20], try #require(records.first { $0.topic.hasSuffix("message") })] {
            let value = try #require(record.value)
            for length in 0..<value.count {
                var cut = record
                cut.value = Array(value[..<length])
                #expect(decoder.decode(cut).rejection?.reason == .notJSON)
                cuts += 1
            }
        }
        let wrapped = try #require(try Captured.schemasOn.records().first { $0.topic.hasSuffix("heartbeat") })
        let value = try #require(wrapped.value)
        _ = decoder.decode(wrapped)
        for length in 0..<value.count {
            var cut = wrapped
            cut.value = Array(value[..<length])
            #expect(decoder.decode(cut).rejection?.reason == .notJSON)
            cuts += 1
        }
        #expect(cuts > 2_000)
    }

    @Test("A record with some bytes changed always has a meaning, and the same one again", arguments: [1, 2, 3, 4] as [UInt64])
    func mutations(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let records = try Captured.allCases.flatMap { try $0.records() }.filter { ($0.value?.count ?? 0) < 12_000 }
        let telling = Array(#""\,:[]{}0123456789eE+-.trufalsn "#.utf8) + [0x00, 0x80, 0xC3, 0xFF]
        var decoder = ChangeDecoder(Captured.options)
        var (rejected, understood) = (0, 0)
        for _ in 0..<2_500 {
            var record = records[Int(random.next() % UInt64(records.count))]
            var bytes = record.value ?? []
            for _ in 0...random.next() % 3 where !bytes.isEmpty {
                let index = Int(random.next() % UInt64(bytes.count))
                let byte = telling[Int(random.next() % UInt64(telling.count))]
                switch random.next() % 4 {
                case 0: bytes[index] = byte
                case 1: bytes.insert(byte, at: index)
                case 2: bytes.remove(at: index)
                default: bytes.removeSubrange(index..<min(index + Int(random.next() % 64), bytes.count))
                }
            }
            record.value = bytes
            if random.next() % 4 == 0 { record.key = Array(bytes.prefix(Int(random.next() % 64))) }
            let change = decoder.decode(record)
            #expect(ChangeDecoder(Captured.options).decoded(record) == change)
            if change.rejection == nil { understood += 1 } else { rejected += 1 }
        }
        #expect(rejected > 200 && understood > 200)
    }

    @Test("Values of other kinds in any member of the envelope reject the record, and never end the process")
    func kinds() throws {
        let record = try #require(try Captured.schemasOff.records().first { $0.topic.hasSuffix("peer_review") })
        let text = String(decoding: try #require(record.value), as: UTF8.self)
        var decoder = ChangeDecoder(Captured.options)
        var rejections = 0
        for member in [
            "before", "after", "source", "transaction", "op", "ts_ms", "db", "schema", "table", "txId", "lsn", "snapshot", "due_at",
        ] {
            for value in ["null", "true", "[]", "{}", "-1", "1e999", #""x""#, #""""#, "99999999999999999999"] {
                guard let start = text.firstRange(of: "\"\(member)\":") else { continue }
                var changed = record
                changed.value = Array((text[..<start.upperBound] + value + #","_":"# + text[start.upperBound...]).utf8)
                if decoder.decode(changed).rejection != nil { rejections += 1 }
            }
        }
        #expect(rejections > 60)
    }

    @Test("A record beyond the limits of bytes, depth or values is rejected")
    func limits() {
        let large = [UInt8](repeating: UInt8(ascii: " "), count: ChangeLimits.recordBytes + 1)
        #expect(ChangeDecoder().decoded(ChangeRecord(topic: "t", value: large)).rejection?.reason == .tooLarge)
        let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        #expect(ChangeDecoder().decoded(Records.envelope("c", after: #"{"v":\#(deep)}"#)).rejection?.reason == .notJSON)
        let many = "[" + String(repeating: "1,", count: 200_000) + "1]"
        #expect(ChangeDecoder().decoded(Records.envelope("c", after: #"{"v":\#(many)}"#)).rejection?.reason == .notJSON)
        #expect(ChangeDecoder().decoded(Records.envelope("c", after: #"{"v":"\u0000"}"#)).rejection?.reason == .nulCharacter)
    }

    @Test("A schema that changes from record to record is read each time, and more schemas than the cache holds do no harm")
    func schemas() {
        var decoder = ChangeDecoder()
        func record(_ topic: String, _ name: String) -> ChangeRecord {
            let field = #"{"field":"after","type":"struct","fields":[{"field":"v","type":"int64","name":"\#(name)"}]}"#
            let value = String(decoding: Records.envelope("c", after: #"{"v":1000}"#).value ?? [], as: UTF8.self)
            return Records.record(topic, nil, #"{"schema":{"type":"struct","fields":[\#(field)]},"payload":\#(value)}"#)
        }
        for _ in 0..<3 {
            #expect(decoder.decode(record("t", "io.debezium.time.Timestamp")).row?.after?["v"] == .timestamp(1_000_000))
            #expect(decoder.decode(record("t", "io.debezium.time.MicroTimestamp")).row?.after?["v"] == .timestamp(1_000))
            // Two schemas of the same length.
            #expect(decoder.decode(record("t", "io.debezium.time.NanoTime")).row?.after?["v"] == .time(1))
            #expect(decoder.decode(record("t", "io.debezium.time.Interval")).row?.after?["v"] == .duration(1_000))
        }
        for topic in 0..<1_100 { #expect(decoder.decode(record("t\(topic)", "io.debezium.time.Date")).row?.after?["v"] == .date(1_000)) }
        var trailing = record("t1", "io.debezium.time.Date")
        trailing.value?.removeLast()
        trailing.value?.append(contentsOf: #","more":1}"#.utf8)
        #expect(decoder.decode(trailing).rejection?.reason == .unknownForm)
    }
}

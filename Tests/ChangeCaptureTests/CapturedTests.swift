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
                    "insert": 24, "update": 30, "delete": 5, "snapshotRead": 13, "truncate": 3, "message": 2, "BEGIN": 51, "END": 51,
                    "heartbeat": 5, "tombstone": 5,
                ]
            ),
            (
                .schemasOff,
                [
                    "insert": 24, "update": 30, "delete": 5, "snapshotRead": 13, "truncate": 3, "message": 2, "BEGIN": 51, "END": 51,
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
}

import HangGuard
import Messaging
import TestKit
import Testing

@testable import Store

/// Causes that come and go at random, with prefixes of the changes sent again, against the rows themselves.
@Suite(.timeLimit(.minutes(2)), .guarded) struct RetractionModelTests {
    private struct Change {
        let row: Int
        let lsn: Int64
        let isOn: Bool
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func theEntriesAreThoseOfTheRowsThatHoldTheCondition(_ seed: UInt64) async throws {
        let bench = try await StoreBench().ready()
        var random = SeededRandom(seed: seed)
        let channels = try (0..<3).map { try inbox("u\($0)") }
        var log: [Change] = []
        var next = 0
        for _ in 0..<60 {
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                log.append(Change(row: .random(in: 0..<5, using: &random), lsn: Int64(log.count + 1), isOn: .random(using: &random)))
            }
            // A connector that crashed goes back to a position that it had saved.
            if Int.random(in: 0..<4, using: &random) == 0 { next = Int.random(in: 0...next, using: &random) }
            let end = Int.random(in: next...log.count, using: &random)
            var drafts: [EntryDraft] = []
            var retractions: [Retraction] = []
            for change in log[next..<end] {
                let position = ChangePosition(commit: 0, lsn: change.lsn, time: Timestamp(milliseconds: change.lsn))
                let row = "row\(change.row)"
                // Each change takes back what the one before made.
                retractions.append(Retraction(.cause(row: row, rule: nil), origin: row, change: position, after: drafts.count))
                guard change.isOn else { continue }
                for channel in channels {
                    drafts.append(
                        draft(channel, "\(row)#\(change.lsn)", cause: Cause(row: row, rule: "r", change: position)))
                }
            }
            next = end
            #expect(await bench.ask(.ingest(drafts, [], retractions)).stored?.count == drafts.count)
        }
        // All of the log was read at least once.
        var rest: [EntryDraft] = []
        for change in log[next...] {
            let position = ChangePosition(commit: 0, lsn: change.lsn, time: Timestamp(milliseconds: change.lsn))
            let row = "row\(change.row)"
            rest = channels.map { draft($0, "\(row)#\(change.lsn)", cause: Cause(row: row, rule: "r", change: position)) }
            let off = Retraction(.cause(row: row, rule: nil), origin: row, change: position, after: 0)
            #expect(await bench.ask(.ingest(change.isOn ? rest : [], [], [off])).stored != nil)
        }
        var expected: Set<String> = []
        for row in 0..<5 {
            guard let last = log.last(where: { $0.row == row }), last.isOn else { continue }
            for channel in channels { expected.insert("\(channel.storedName)/row\(row)#\(last.lsn)") }
        }
        let live = try bench.query(
            """
            select c.name || '/' || e.source_id from hub.entry e join hub.channel c on c.id = e.channel_id where e.retracted_at is null
            """
        ).compactMap { $0[0] }
        #expect(live.count == expected.count && Set(live) == expected)
        // Numbers have no gaps, and each entry is taken back at most once.
        #expect(
            try bench.cell("select bool_and(c.last_seq = (select count(*) from hub.entry e where e.channel_id = c.id)) from hub.channel c")
                == "t")
    }
}

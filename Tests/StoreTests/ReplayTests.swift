import HangGuard
import Messaging
import Postgres
import TestKit
import Testing

@testable import Store

/// Events of rules that are sent again: what the database knows of them, and how it stores them.
@Suite(.timeLimit(.minutes(2)), .guarded) struct ReplayTests {
    private let channel: Channel
    private let bench: StoreBench
    private let row = "db/app.review/{\"id\":7}"

    init() async throws {
        bench = try await StoreBench().ready()
        channel = .inbox(try user("ann"))
    }

    private func position(_ lsn: Int64, commit: Int64 = 0, time: Int64 = 0) -> ChangePosition {
        ChangePosition(commit: commit, lsn: lsn, time: Timestamp(milliseconds: time))
    }

    private func event(_ id: String, _ lsn: Int64?, in channel: Channel? = nil) -> EntryDraft {
        EntryDraft(
            channel: channel ?? self.channel, source: "rule:r", id: id, kind: .notification, eventType: "t", content: "\"title\":\"x\"",
            cause: Cause(row: row, rule: "r", change: lsn.map { position($0) }))
    }

    private func gone(_ lsn: Int64) -> Retraction { Retraction(.cause(row: row, rule: nil), origin: row, change: position(lsn), after: 0) }

    private func look(
        _ id: String, at position: ChangePosition, row: String? = nil, in channels: [Channel]? = nil
    ) throws -> ReplayCheck.Finding? {
        try ReplayCheck.look(
            bench.address,
            [
                ReplayCheck.Event(
                    source: "rule:r", id: id, row: row ?? self.row, rule: "r", position: position, channels: channels ?? [channel])
            ]
        ).first
    }

    private var live: [String] {
        get throws { try bench.query("select source_id from hub.entry where retracted_at is null order by 1").compactMap { $0[0] } }
    }

    @Test func whatIsMissingStoredOvertakenOrPresentIsTold() async throws {
        #expect(try look("e1", at: position(10)) == .missing)
        _ = await bench.ask(.ingest([event("e1", 10)], []))
        #expect(try look("e1", at: position(10)) == .stored)
        #expect(try look("e1", at: position(10), in: [channel, .broadcast("b")]) == .missing, "one of its channels lacks it")
        #expect(try look("e0", at: position(5)) == .overtaken)
        #expect(try look("e2", at: position(10)) == .present)
        #expect(try look("e2", at: position(10), row: "db/app.review/{\"id\":8}") == .missing)
        #expect(try look("e2", at: position(10), row: "") == .missing)
        _ = await bench.ask(.ingest([], [], [gone(20)]))
        #expect(try look("e1", at: position(10)) == .stored, "it was taken back")
        #expect(try look("e2", at: position(15)) == .overtaken)
        #expect(try look("e2", at: position(30)) == .missing)
        #expect(try look("e2", at: position(15, time: 1)) == .overtaken)
        #expect(try ReplayCheck.look(bench.address, []).isEmpty)
        #expect(throws: MigrationError.self) {
            try ReplayCheck.look(
                "postgresql://nobody@127.0.0.1:1/none",
                [ReplayCheck.Event(source: "s", id: "1", row: "", rule: "r", position: position(1), channels: [channel])])
        }
    }

    @Test func aNewerEntryWithTheCollapseKeyIsNotReplaced() async throws {
        func look(_ time: Int64, _ collapse: String?) throws -> ReplayCheck.Finding? {
            try ReplayCheck.look(
                bench.address,
                [
                    ReplayCheck.Event(
                        source: "rule:r", id: "e", row: row, rule: "r", position: position(10, time: time), channels: [channel],
                        collapse: collapse)
                ]
            ).first
        }
        let draft = EntryDraft(
            channel: channel, source: "hub", id: "new", kind: .notification, eventType: "t", content: "", collapse: "k")
        _ = await bench.ask(.ingest([draft], []))
        #expect(try look(0, "k") == .replaced)
        #expect(try look(4_000_000_000_000, "k") == .missing, "it is older than the change")
        #expect(try look(0, "other") == .missing)
        #expect(try look(0, nil) == .missing)
    }

    @Test func commitsAreComparedWhereBothAreKnown() async throws {
        _ = try bench.query(
            "insert into hub.row_change (origin, commit_lsn, lsn, changed_at) values ('\(row)', 50, 10, '1970-01-01T00:00:00Z')")
        #expect(try look("e", at: position(90, commit: 40)) == .overtaken)
        #expect(try look("e", at: position(5, commit: 60)) == .missing)
        #expect(try look("e", at: position(90)) == .missing, "its commit is not known")
    }

    @Test func aReplayedEventIsStoredOnceKnowsItsRowAndIsTakenBackByALaterChange() async throws {
        _ = await bench.ask(.ingest([], [], [gone(5)]))
        #expect(await bench.ask(.ingest([event("e1", nil)], [])).seqs == [1])
        #expect(await bench.ask(.ingest([event("e1", nil)], [])).seqs == [1], "a second run")
        #expect(try live == ["e1"])
        #expect(try bench.query("select origin from hub.row_change").isEmpty, "a replay is no change of the row")
        #expect(await bench.ask(.ingest([event("e1", 10)], [])).seqs == [1], "the intake finds it, too")
        _ = await bench.ask(.ingest([], [], [gone(20)]))
        #expect(try live == [])
    }

    @Test func aReplayedEventIsTakenBackInTheSameRequest() async throws {
        var later = gone(20)
        later.after = 2
        _ = await bench.ask(.ingest([event("e1", nil), event("e2", nil, in: .broadcast("b"))], [], [later]))
        #expect(try bench.query("select source_id from hub.entry").isEmpty)
    }
}

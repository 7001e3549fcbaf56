import HangGuard
import Messaging
import Testing

@testable import HubClient
@testable import Rules

@Suite("hub rules replay", .guarded)
struct RulesReplayTests {
    private func events(_ jsons: String...) -> [RuleReplay.Event] {
        var replay = RuleReplay(rule: "r")
        for (index, json) in jsons.enumerated() {
            var outcome = RuleOutcome()
            outcome.events = [RuleEvent(row: "db/app.t/\(index)", rule: "r", id: String(index), json: Array(json.utf8))]
            replay.add(
                outcome, of: "db/app.t/\(index)",
                at: ChangePosition(commit: 0, lsn: Int64(index), time: Timestamp(milliseconds: 0)),
                in: RecordOrigin(topic: "t", partition: 0, offset: Int64(index)), isInRange: true)
        }
        return replay.events
    }

    @Test("what has expired and what would be a dead letter is not sent")
    func sorting() {
        let sorted = RulesReplay.sorted(
            events(
                #"{"type":"t","to":["user:ann"],"title":"x"}"#, #"{"type":"t","to":["user:ann"],"expiresAt":1000}"#,
                #"{"type":"t","to":["nobody"]}"#, #"{"type":"t","to":["user:ann"],"expiresAt":1001}"#), now: 1_000)
        #expect(sorted.toSend.map(\.id) == ["0", "3"] && sorted.expired == 1 && sorted.refused.count == 1)
    }

    @Test("the summary has a line for each reason that there is")
    func summary() {
        let replay = RuleReplay(rule: "r")
        var sorted = RulesReplay.Sorted()
        #expect(RulesReplay.summary(replay, sorted) == ["rule r made 0 events in the range, of which 0 are missing"])
        (sorted.expired, sorted.stored, sorted.overtaken, sorted.present, sorted.replaced) = (1, 2, 3, 4, 5)
        sorted.refused = ["to: missing"]
        #expect(
            RulesReplay.summary(replay, sorted).dropFirst() == [
                "  2 are stored, or were and were taken back", "  3 are older than a change of the row that had an effect",
                "  4 are of rows that have another entry of the rule",
                "  5 would replace newer entries with their collapse keys", "  1 have expired",
                "  1 would be dead letters; such as: to: missing",
            ])
    }
}

import HangGuard
import Messaging
import TestKit
import Testing

@Suite("What remains of a request that retracts", .guarded)
struct SettledRequestTests {
    private func change(_ lsn: Int64, commit: Int64 = 0, time: Int64 = 0) -> ChangePosition {
        ChangePosition(commit: commit, lsn: lsn, time: Timestamp(milliseconds: time))
    }
    private func on(_ row: String, _ lsn: Int64, rule: String = "r", time: Int64 = 0) -> EntryDraft {
        draft(.broadcast("b"), "\(row)\(lsn)", cause: Cause(row: row, rule: rule, change: change(lsn, time: time)))
    }
    private func off(_ row: String, _ lsn: Int64, rule: String? = nil, after: Int, time: Int64 = 0) -> Retraction {
        Retraction(.cause(row: row, rule: rule), origin: row, change: change(lsn, time: time), after: after)
    }

    @Test("A retraction takes the drafts of its cause before it out, and leaves the others and those behind it")
    func order() {
        let drafts = [on("a", 1), on("b", 1), on("a", 1, rule: "s"), on("a", 3)]
        let settled = SettledRequest(drafts, [off("a", 2, after: 3)])
        #expect((settled.drafts, settled.retractions, settled.hasTaken) == ([1, 3], [0], [true]))
        let byRule = SettledRequest(drafts, [off("a", 2, rule: "s", after: 3), off("c", 1, after: 4)])
        #expect((byRule.drafts, byRule.hasTaken) == ([0, 1, 3], [true, false]))
        #expect(SettledRequest(drafts, [off("a", 4, after: 9)]).drafts == [1], "all drafts are before it")
        #expect(SettledRequest([], [off("a", 1, after: 0)]).retractions == [0])
    }

    @Test("Events and groups are taken out of their channel only")
    func events() {
        let (b, c) = (Channel.broadcast("b"), Channel.broadcast("c"))
        let drafts = [draft(b, "1"), draft(c, "1"), draft(b, "1", source: "x"), draft(b, "2", group: "g"), draft(c, "2", group: "g")]
        let event = Retraction(.event(source: "tests", id: "1", b), origin: "e", change: nil, after: 5)
        #expect(SettledRequest(drafts, [event]).drafts == [1, 2, 3, 4])
        let group = Retraction(.group("g", c), origin: "e", change: nil, after: 5)
        #expect(SettledRequest(drafts, [group]).drafts == [0, 1, 2, 3])
        #expect(SettledRequest(drafts, [event, group]).hasTaken == [true, true])
        #expect(group.isOfGroup && !event.isOfGroup)
    }

    @Test("Changes that are sent again behind newer ones do nothing")
    func repeats() {
        let drafts = [on("a", 1), on("a", 3), on("a", 1), on("a", 3)]
        let settled = SettledRequest(drafts, [off("a", 2, after: 1), off("a", 2, after: 3)])
        #expect((settled.drafts, settled.retractions) == ([1, 3], [0]), "the store knows the copy by its key")
        #expect(SettledRequest([on("a", 5)], [off("a", 4, after: 1), off("b", 4, after: 1)]).retractions == [1])
    }

    @Test("Retractions and drafts of one change all count")
    func oneChange() {
        let settled = SettledRequest([on("a", 1, rule: "s"), on("a", 2)], [off("a", 2, rule: "s", after: 1)])
        #expect((settled.drafts, settled.retractions, settled.hasTaken) == ([1], [0], [true]))
    }

    @Test("Two encodings of one letter are two rows")
    func bytes() {
        let (one, two) = ("\u{E9}", "e\u{301}")
        let settled = SettledRequest([on(one, 5), on(two, 1)], [off(two, 2, after: 2)])
        #expect(settled.drafts == [0])
    }

    @Test(
        "A change is newer by its position, or by its time when the database went back",
        arguments: [
            ((0, 1, 0), (0, 1, 0), false), ((0, 2, 0), (0, 1, 0), true), ((0, 1, 0), (0, 2, 0), false), ((0, 1, 5), (0, 2, 4), true),
            ((0, 2, 4), (0, 1, 5), true), ((2, 1, 0), (1, 9, 0), true), ((1, 9, 0), (2, 1, 0), false), ((1, 2, 0), (1, 1, 0), true),
            ((0, 9, 0), (7, 8, 0), true), ((7, 8, 0), (0, 9, 0), false), ((7, 8, 0), (0, 8, 0), false),
        ] as [((Int64, Int64, Int64), (Int64, Int64, Int64), Bool)])
    func newer(_ one: (Int64, Int64, Int64), _ other: (Int64, Int64, Int64), _ isNewer: Bool) {
        #expect(change(one.1, commit: one.0, time: one.2).isNewer(than: change(other.1, commit: other.0, time: other.2)) == isNewer)
    }
}

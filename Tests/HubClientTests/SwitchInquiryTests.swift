import HangGuard
import JSON
import Messaging
import Testing

@testable import HubClient
@testable import Store

@Suite("hub off, hub on and hub switches", .guarded)
struct SwitchInquiryTests {
    private static let now = Timestamp(milliseconds: 1_000_000)

    private func order(
        _ feature: String = "user-notifications", scope: String = "system", mode: String = "off", every: String? = nil,
        until: String? = nil, forTime: String? = nil, why: String = "load"
    ) throws -> SwitchOrder {
        try SwitchOrder(
            feature: feature, scope: scope, mode: mode, every: every, until: until, forTime: forTime, why: why, now: Self.now)
    }

    @Test("what the flags say")
    func flags() throws {
        #expect(try order().asked == Switch(.userNotifications, for: .system, .off))
        #expect(try order(mode: "slow").asked.mode == .slow(seconds: 30))
        #expect(try order(mode: "slow", every: "2m").asked.mode == .slow(seconds: 120))
        #expect(try order(mode: "store", forTime: "2h").asked.until == Timestamp(milliseconds: 8_200_000))
        #expect(try order(until: "1970-01-01T02:00:00+01:00").asked.until == Timestamp(milliseconds: 3_600_000))
        #expect(try order("direct-messages", scope: "activity:7").asked.scope == .context("activity:7"))
        #expect(try order(why: "  two words \n").why == "two words")
    }

    @Test("every wrong flag is named")
    func refused() {
        func refused(_ body: () throws -> SwitchOrder, _ words: String, _ line: Int = #line) {
            let error = #expect(throws: CommandFailure.self, "\(line)") { try body() }
            #expect(error?.kind == .usage && error?.lines.first?.contains(words) == true, "\(line): \(error?.lines ?? [])")
        }
        refused({ try order("mail") }, "there is no feature mail; there are: system-notifications")
        refused({ try order(scope: "ann") }, "--for ann")
        refused({ try order(mode: "on") }, "--mode on")
        refused({ try order(mode: "half") }, "--mode half")
        refused({ try order("realtime", mode: "store") }, "realtime can be off")
        refused({ try order("realtime", scope: "activity:7") }, "--for activity:7")
        refused({ try order("direct-messages", scope: "activity:7", mode: "store") }, "--for activity:7")
        refused({ try order("group-messages", scope: "activity:7") }, "--for activity:7")
        refused({ try order(every: "30s") }, "--every is for --mode slow")
        for text in ["4s", "2h", "x", "1500ms"] { refused({ try order(mode: "slow", every: text) }, "--every \(text)") }
        refused({ try order(until: "1970-01-01T00:00:00Z") }, "in the past")
        refused({ try order(until: "tomorrow") }, "--until tomorrow")
        refused({ try order(until: "1970-01-01T02:00:00Z", forTime: "1h") }, "exclude each other")
        for text in ["0s", "366d", "soon"] { refused({ try order(forTime: text) }, "--for-time \(text)") }
        for text in ["", "  ", String(repeating: "x", count: 501)] { refused({ try order(why: text) }, "--why") }
    }

    @Test("the list is a table, and says when there is nothing in it")
    func table() {
        #expect(SwitchInquiry.table([]) == ["everything is on"])
        let row = SwitchTable.Row(
            feature: "signals", scope: "user:ann", mode: "slow", seconds: 30, until: nil, setAt: "2026-11-30T10:00:00Z", setBy: "op@h",
            why: "w")
        #expect(
            SwitchInquiry.table([row]) == [
                "FEATURE  SCOPE     MODE      UNTIL  SINCE                 BY    WHY",
                "signals  user:ann  slow 30s  -      2026-11-30T10:00:00Z  op@h  w",
            ])
    }

    @Test("a preview adds up what the hubs answered, and says which did not")
    func preview() throws {
        func answer(_ name: String, _ text: String?) throws -> NodeList.Answer {
            let node = NodeList.Node(
                id: name, name: name, version: "1", startedAt: "", secondsSinceSeen: 0, isHere: true, sessions: 0, stage: nil, lag: nil,
                journalMilliseconds: nil, bus: nil, hears: nil, schema: nil, codec: nil)
            return NodeList.Answer(node: node, object: try text.map { try JSONValue.parse($0).object ?? JSONObject() })
        }
        let answers = [
            try answer("a", #"{"sessions":5,"users":3}"#), try answer("b", #"{"sessions":2,"users":2}"#), try answer("c", nil),
            try answer("d", #"{"error":"old"}"#),
        ]
        #expect(
            SwitchInquiry.preview(Switch(.realtime, for: .system, .off), answers) == [
                "nothing is changed; it would be: realtime for system: off, until hub on", "a: 3 people, 5 sessions",
                "b: 2 people, 2 sessions", "in all: 5 people, 7 sessions; who is on two nodes counts twice", "2 of 4 nodes answered",
            ])
    }
}

import HangGuard
import JSON
import Testing

@testable import HubClient
@testable import Store

@Suite("hub nodes, hub drain and hub sessions", .guarded)
struct NodeTableTests {
    private func node(_ name: String, id: String = "1", seen: Int = 0, stage: String? = "serving", hears: Bool? = true) -> NodeList.Node {
        NodeList.Node(
            id: id, name: name, version: "0.7.0", startedAt: "2026-11-30T10:00:00Z", secondsSinceSeen: seen, isHere: seen < 10, sessions: 5,
            stage: stage, lag: stage == nil ? nil : 2, journalMilliseconds: stage == nil ? nil : 120, bus: stage == nil ? nil : "postgres",
            hears: hears, schema: stage == nil ? nil : 13, codec: nil)
    }

    @Test("the columns have the width of their longest text")
    func table() {
        let lines = NodeTable.lines([
            node("hub-a-8080", stage: "draining"), node("b", hears: false), node("old", stage: nil), node("c", seen: 40),
        ])
        #expect(
            lines == [
                "NAME        VERSION  SINCE                 STATE              SESSIONS  LAG  JOURNAL  BUS              SCHEMA",
                "hub-a-8080  0.7.0    2026-11-30T10:00:00Z  draining           5         2    120 ms   postgres         13",
                "b           0.7.0    2026-11-30T10:00:00Z  serving            5         2    120 ms   postgres (deaf)  13",
                "old         0.7.0    2026-11-30T10:00:00Z  here               5         -    -        -                -",
                "c           0.7.0    2026-11-30T10:00:00Z  not seen for 40 s  5         2    120 ms   postgres         13",
            ])
    }

    @Test("a node is found by its name or id, and every other case has its error")
    func naming() throws {
        let nodes = [
            node("a", id: "1"), node("b", id: "2"), node("b", id: "3"), node("gone", id: "4", seen: 40), node("back", id: "5", seen: 50),
            node("back", id: "6"),
        ]
        #expect(try NodeInquiry.node("a", of: nodes).id == "1")
        #expect(try NodeInquiry.node("3", of: nodes).id == "3")
        #expect(try NodeInquiry.node("back", of: nodes).id == "6", "an earlier process of the name has ended")
        func failure(_ name: String, _ nodes: [NodeList.Node]) -> CommandFailure? {
            #expect(throws: CommandFailure.self) { try NodeInquiry.node(name, of: nodes) }
        }
        #expect(failure("b", nodes)?.lines.first?.contains("use the id instead: 2 (since") == true)
        #expect(
            failure("gone", nodes) == CommandFailure(.unavailable, "gone was last seen 40 s ago: it has ended or cannot reach the database")
        )
        #expect(failure("x", nodes) == CommandFailure(.usage, "no hub is called x; there are: a, b, b, back"))
        #expect(failure("x", [])?.kind == .unavailable)
    }

    @Test("the last line says who answered")
    func sessions() throws {
        var one = JSONObject()
        one["sessions"] = .array([try JSONValue.parse(#"{"id":"s1","transport":"websocket","idle_ms":2500}"#)])
        var other = JSONObject()
        other["error"] = "not known"
        let answers = [
            NodeList.Answer(node: node("a"), object: one), NodeList.Answer(node: node("b"), object: nil),
            NodeList.Answer(node: node("c"), object: other),
        ]
        #expect(NodeInquiry.lines(answers) == ["a  websocket  s1  active 2 s ago", "1 of 3 nodes answered; not: b, c"])
        #expect(
            NodeInquiry.json(answers)
                == #"{"sessions":[{"id":"s1","transport":"websocket","idle_ms":2500,"node":"a"}],"asked":3,"answered":1,"silent":["b","c"]}"#
        )
        #expect(NodeInquiry.lines(Array(answers.prefix(1))).last == "1 of 1 nodes answered")
    }
}

import Bus
import HangGuard
import JSON
import Linux
import Messaging
import Telemetry
import TestKit
import Testing

@testable import Store

/// What hubs on one database tell of themselves, and what operators ask them.
@Suite(.timeLimit(.minutes(2)), .guarded) struct NodeTests {
    /// Answers as one hub would.
    private final class Reporter: NodeReporter {
        let asked = Locked<[NodeQuestion]>([])
        let news = Locked<NodeNews?>(nil)
        private let own: NodeState

        init(_ own: NodeState = NodeState()) { self.own = own }

        func state() -> NodeState { own }
        func switched(_ board: Switchboard) {}
        func heard(_ news: NodeNews) { self.news.withLock { $0 = news } }
        func answer(_ question: NodeQuestion, _ answer: @escaping @Sendable (String) -> Void) {
            asked.withLock { $0.append(question) }
            answer(#"{"of":"\#(question.subject)"}"#)
        }
    }

    private func shared(_ name: String, _ address: String? = nil, rings: Bool = true) async throws -> StoreBench {
        try await StoreBench(address) {
            $0.isShared = true
            $0.rings = rings
            $0.nodeName = name
            $0.version = "9"
        }.ready()
    }

    private func report(_ id: String, _ adjust: (inout NodeReport) -> Void = { _ in }) -> StoreRequest {
        var report = NodeReport(node: NodeIdentity(id: id, name: "n-\(id)", version: "1"))
        adjust(&report)
        return .beat(report)
    }

    private func news(_ reply: StoreReply) -> NodeNews? { if case .nodes(let news) = reply { news } else { nil } }

    @Test func aHubTellsHowItIs() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(
            report("a") {
                $0.state.sessions = 7
                $0.state.stage = .draining
                $0.state.lag = 3
                $0.state.journalAge = .milliseconds(250)
                $0.state.bus = "postgres"
                $0.state.hears = true
                $0.state.schema = 13
                $0.state.codec = "1.3"
            })
        _ = try bench.query(
            "insert into hub.node (id, name, version, started_at, seen_at) values ('old', 'older', '0', now() + interval '1 second', now())"
        )
        let nodes = try NodeList.read(bench.address)
        let (new, old) = (try #require(nodes.first), try #require(nodes.last))
        #expect(nodes.count == 2)
        #expect((new.name, new.sessions, new.stage, new.lag) == ("n-a", 7, "draining", 3))
        #expect((new.journalMilliseconds, new.bus, new.hears, new.schema, new.codec) == (250, "postgres", true, 13, "1.3"))
        #expect((old.name, old.sessions, old.stage, old.lag, old.hears) == ("older", 0, nil, nil, nil), "a version that tells less")
        #expect(old.isHere)
    }

    @Test func theRoomIsThatOfTheOthersThatServe() async throws {
        let bench = try await StoreBench().ready()
        for (id, takes, stage) in [("a", 10, NodeStage.serving), ("b", 200, .serving), ("c", 3_000, .draining), ("d", 40_000, .drained)] {
            _ = await bench.ask(
                report(id) {
                    $0.state.takes = takes
                    $0.state.stage = stage
                })
        }
        let heard = try #require(news(await bench.ask(report("a"))))
        #expect((heard.others, heard.room) == (3, 200))
        _ = try bench.query("update hub.node set seen_at = now() - interval '11 seconds' where id = 'b'")
        #expect(news(await bench.ask(report("a")))?.room == 0)
        _ = try bench.query("insert into hub.node (id, name, version, started_at, seen_at) values ('old', 'n', '0', now(), now())")
        #expect(news(await bench.ask(report("a")))?.room == Beats.usualRoom, "an older version does not tell")
    }

    @Test func aHubThatLeavesIsForgottenAtOnce() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(report("a"))
        _ = await bench.ask(report("b"))
        #expect(news(await bench.ask(report("a") { $0.isLeaving = true }))?.others == 1)
        #expect(try bench.query("select id from hub.node") == [["b"]])
    }

    @Test func aStoreThatStopsLeaves() async throws {
        let one = try await shared("one")
        let two = try await shared("two", one.address)
        try await until { try NodeList.read(one.address).count == 2 }
        #expect(one.store.stop())
        #expect(try NodeList.read(two.address).map(\.name) == ["two"])
    }

    @Test func questionsReachThoseTheyAreForOnceAndUntilTheirEnd() async throws {
        let bench = try await StoreBench().ready()
        _ = try bench.query(
            """
            insert into hub.question (kind, subject, node, until) values
                ('sessions', 'ann', null, now() + interval '1 minute'), ('drain', '', 'b', now() + interval '1 minute'),
                ('dance', '', null, now() + interval '1 minute'), ('sessions', 'late', null, now() - interval '1 second'),
                ('sessions', 'old', null, now() - interval '2 minutes')
            """)
        let asked = try #require(news(await bench.ask(report("a")))).questions
        #expect(asked == [NodeQuestion(id: 1, kind: .sessions, subject: "ann"), NodeQuestion(id: 3, kind: nil, subject: "")])
        #expect(try #require(news(await bench.ask(report("b")))).questions.map(\.id) == [1, 2, 3])
        #expect(try bench.query("select subject from hub.question where id > 3") == [["late"]], "old ones are removed")
        let left = await bench.ask(
            report("a") { $0.answers = [NodeAnswer(question: 1, text: #"{"n":1}"#), NodeAnswer(question: 4, text: "{}")] })
        #expect(news(left)?.questions.map(\.id) == [3])
        #expect(news(await bench.ask(report("a")))?.questions.map(\.id) == [3])
        #expect(
            try bench.query("select answers::text from hub.question where id in (1, 4) order by id") == [[#"{"a": {"n": 1}}"#], ["{}"]])
    }

    @Test func aHubWhoseBusIsAnEngineHearsTheKnockOfAnOperator() async throws {
        let one = try await shared("one", rings: false)
        let two = try await shared("two", one.address, rings: false)
        try await until { one.store.statistics.nodes.value == 2 && two.store.statistics.nodes.value == 2 }
        let ann = try user("ann")
        _ = await one.ask(.ingest([draft(.inbox(ann), "1")], []))
        try await until { two.bus.events.contains(.storedElsewhere(.inbox(ann), upTo: Seq(1))) }
        #expect(one.store.statistics.bellsRung.value == 0, "the others hear of it over the engine")
        // The connection that listens may come up after the store.
        try await until {
            _ = try NodeList.ask(one.address, .sessions, subject: "ann", within: .seconds(30))
            return one.store.statistics.bellsHeard.value > 0 && two.store.statistics.bellsHeard.value > 0
        }
    }

    @Test func everyHubAnswersAnOperator() async throws {
        let one = try await shared("one")
        let two = try await shared("two", one.address)
        let reporters = [Reporter(), Reporter()]
        one.store.use(reporters[0])
        two.store.use(reporters[1])
        try await until { try NodeList.read(one.address).count == 2 }
        let answers = try NodeList.ask(one.address, .sessions, subject: "ann", within: .seconds(30))
        #expect(answers.map(\.node.name) == ["one", "two"])
        #expect(answers.map { $0.object?["of"]?.string } == ["ann", "ann"])
        let id = try #require(answers.last?.node.id)
        let second = try NodeList.ask(one.address, .drain, subject: "5", of: id, within: .seconds(30))
        #expect(second.map(\.node.name) == ["two"])
        #expect(reporters.map { $0.asked.withLock { $0.map(\.kind) } } == [[.sessions], [.sessions, .drain]], "each is asked once")
    }

    @Test func aHubThatIsSilentIsNamed() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(report("a"))
        let answers = try NodeList.ask(bench.address, .sessions, subject: "ann", within: .zero)
        #expect(answers.map(\.node.name) == ["n-a"])
        #expect(answers.map { $0.object == nil } == [true])
    }
}

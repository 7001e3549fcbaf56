import Configuration
import HangGuard
import Linux
import Logging
import Messaging
import Sessions
import Telemetry
import TestKit
import Testing

@testable import Hub
@testable import Reactor

@Suite("What a hub tells other hubs and operators", .guarded)
struct NodeDeskTests {
    private final class Desk {
        let inboxes: [LoopInbox]
        let isAccepting = AtomicFlag()
        let metrics = ServingMetrics()
        let lag = Gauge("lag", "Lag.")
        let desk: NodeDesk
        private let loops: [EventLoop]

        init(sessions: [Int] = [600, 400]) throws {
            let loops = try sessions.indices.map { try EventLoop(name: "loop-\($0)") }
            self.loops = loops
            inboxes = loops.map { LoopInbox(loop: $0.handle, events: 4, orders: 4) }
            for (inbox, count) in zip(inboxes, sessions) { inbox.report(sessions: count) }
            isAccepting.set(true)
            desk = NodeDesk(
                Configuration.Drain(), loops: inboxes, isAccepting: isAccepting, metrics: metrics, lag: lag,
                log: Logger(label: "desk") { _ in SwiftLogNoOpLogHandler() })
        }

        func ask(_ kind: NodeQuestion.Kind?, _ subject: String = "") -> String? {
            let answer = Locked<String?>(nil)
            desk.answer(NodeQuestion(id: 1, kind: kind, subject: subject)) { text in answer.withLock { $0 = text } }
            return answer.withLock { $0 }
        }

        func controls() -> [[String]] {
            inboxes.map { inbox in
                inbox.takeControls().map { control in
                    switch control {
                    case .drain(let drain): "drain \(drain.over) \(drain.isFinal)"
                    case .undrain: "undrain"
                    case .list: "list"
                    case .reach(let scope, _): "reach \(scope.text)"
                    case .switches(let board): "switches \(board.count)"
                    case .stop: "stop"
                    }
                }
            }
        }
    }

    @Test(
        "the time of a drain is half of the spread, or what the other hubs need",
        arguments: [
            (0, 500, 5_000), (1_000, 500, 5_000), (10_000, 500, 20_000), (10_000, 1_000, 10_000), (10_000, 0, 5_000),
        ])
    func window(_ sessions: Int, _ room: Int, _ milliseconds: Int64) {
        #expect(DrainWindow.length(sessions: sessions, room: room, spread: .seconds(10)) == .milliseconds(milliseconds))
    }

    @Test("a drained hub takes nobody until it is told to")
    func drain() throws {
        let bench = try Desk()
        bench.desk.heard(NodeNews(others: 1, room: 100))
        #expect(bench.desk.state().stage == .serving)
        #expect(bench.ask(.drain) == #"{"sessions":1000,"window_ms":10000}"#)
        #expect(bench.controls() == [["drain 10.0 seconds false"], ["drain 10.0 seconds false"]])
        #expect(!bench.isAccepting.isSet)
        #expect(bench.metrics.draining.value == 1)
        #expect(bench.desk.state().stage == .draining)
        for inbox in bench.inboxes { inbox.report(sessions: 0) }
        #expect(bench.desk.state().stage == .drained)
        #expect(bench.ask(.undrain) == #"{"sessions":0}"#)
        #expect(bench.controls() == [["undrain"], ["undrain"]])
        #expect(bench.isAccepting.isSet)
        #expect(bench.metrics.draining.value == 0)
        #expect(bench.desk.state().stage == .serving)
    }

    @Test("an operator may give the time")
    func givenTime() throws {
        let bench = try Desk()
        #expect(bench.ask(.drain, "30000") == #"{"sessions":1000,"window_ms":30000}"#)
        #expect(bench.controls()[0] == ["drain 30.0 seconds false"])
    }

    @Test("a hub that is being stopped has its own time, and is not taken back")
    func end() throws {
        let bench = try Desk()
        bench.desk.heard(NodeNews(others: 1, room: 100))
        bench.desk.end(within: .seconds(7))
        #expect(bench.controls() == [["drain 7.0 seconds true"], ["drain 7.0 seconds true"]])
        #expect(bench.ask(.undrain) == #"{"error":"the hub is being stopped","sessions":1000}"#)
        #expect(bench.ask(.drain)?.contains("the hub is being stopped") == true)
        #expect(bench.controls() == [[], []])
    }

    @Test("the sessions of a user are those of all loops")
    func sessions() throws {
        let bench = try Desk(sessions: [0, 0])
        let answer = Locked<String?>(nil)
        bench.desk.answer(NodeQuestion(id: 1, kind: .sessions, subject: "ann")) { text in answer.withLock { $0 = text } }
        for inbox in bench.inboxes {
            #expect(answer.withLock { $0 } == nil)
            for case .list(let user, let tell) in inbox.takeControls() {
                #expect(user.name == "ann")
                tell([])
            }
        }
        #expect(answer.withLock { $0 } == #"{"sessions":[]}"#)
        #expect(bench.ask(.sessions, "") == #"{"error":"no valid user"}"#)
    }

    @Test("a question of a newer version is answered, too")
    func unknown() throws {
        #expect(try Desk().ask(nil)?.contains("does not know") == true)
    }

    @Test("a hub is listed by its name in the group, or by host and port")
    func name() {
        var configuration = Configuration()
        configuration.kafka.member = "hub-1"
        #expect(configuration.nodeName(port: 8080) == "hub-1")
        configuration.kafka.member = "none"
        #expect(configuration.nodeName(port: 8080) == "\(Machine.hostName)-8080")
        configuration.kafka.member = nil
        #expect(configuration.nodeName(port: 8080) == "\(Machine.hostName)-8080")
    }

    @Test("every loop gets the switches")
    func switches() throws {
        let desk = try Desk()
        desk.desk.switched(Switchboard([Switch(.signals, for: .system, .off)]))
        #expect(desk.controls() == [["switches 1"], ["switches 1"]])
    }

    @Test("whom a switch concerns: the sessions of all loops, and each user once")
    func reach() throws {
        let desk = try Desk()
        #expect(desk.ask(.reach, "nobody") == #"{"error":"no valid scope"}"#)
        let answer = Locked<String?>(nil)
        desk.desk.answer(NodeQuestion(id: 1, kind: .reach, subject: "institution:lyon")) { text in answer.withLock { $0 = text } }
        for (inbox, names) in zip(desk.inboxes, [["ann", "bob"], ["ann"]]) {
            for case .reach(let scope, let tell) in inbox.takeControls() {
                #expect(scope == .institution("lyon"))
                tell(names.count + 1, Set(try names.map { try user($0) }))
            }
        }
        #expect(answer.withLock { $0 } == #"{"sessions":5,"users":2}"#)
    }
}

import Compare
import Dialect
import Report
import Testing

@Suite("A contest")
struct ContestTests {
    private let match = Match(.fanout(subscribers: 1_000, burst: 1))

    private func result(_ nanoseconds: Double, memory: Int64 = 0) -> ScenarioResult {
        var result = ScenarioResult(scenario: "fanout", server: "", operation: "delivery", seconds: 1)
        result.operations = 1_000
        result.serverCPU = [CPUTime(group: "process", userSeconds: nanoseconds / 4e6, systemSeconds: nanoseconds * 3 / 4e6)]
        result.memory = [
            MemoryPoint(connections: 0, residentBytes: 5_000), MemoryPoint(connections: 1_000, residentBytes: 5_000 + memory * 1_000),
        ]
        return result
    }

    @Test("Measures every server once a round, beginning with another one each time")
    func turns() {
        var order: [Dialect] = []
        let outcome = Contest(match, servers: [.hub, .bareC, .nchan], rounds: 4).run(
            measure: {
                order.append($0.dialect)
                return result(100)
            }, told: { _ in })
        #expect(order == [.hub, .bareC, .nchan, .bareC, .nchan, .hub, .nchan, .hub, .bareC, .hub, .bareC, .nchan])
        #expect(outcome.rounds.count == 4)
        #expect(outcome.failures.isEmpty)
    }

    @Test("Leaves out who cannot do it, and who failed once")
    func failures() {
        struct Broken: Error {}
        var measured: [Dialect] = []
        let contest = Contest(Match(.echo(sockets: 10)), servers: [.hubEcho, .nats, .bareC, .nodeWS], rounds: 3)
        #expect(contest.servers.map(\.dialect) == [.hubEcho, .bareC, .nodeWS])
        let outcome = contest.run(
            measure: {
                measured.append($0.dialect)
                if $0.dialect == .nodeWS { throw Broken() }
                return result(10)
            }, told: { _ in })
        #expect(measured.count { $0 == .nodeWS } == 1)
        #expect(measured.count { $0 == .bareC } == 3)
        var run = Run(
            title: "t", command: [], machine: Machine(processor: "", cores: 1, memoryBytes: 0, kernel: "", system: "", load: 0))
        outcome.record(in: &run)
        #expect(run.scenarios.count == 2)
        #expect(run.notes.count == 1)
    }

    @Test("Compares within a round, and tells the median of the rounds' ratios with its goal")
    func ratios() throws {
        let hub = [100.0, 300, 210]
        let bare = [100.0, 200, 200]
        var turn: [Contestant: Int] = [:]
        let outcome = Contest(match, servers: [.hub, .bareC, .mosquitto], rounds: 3).run(
            measure: { server in
                let round = turn[server, default: 0]
                turn[server] = round + 1
                return result(
                    server.dialect == .hub ? hub[round] : bare[round], memory: server.dialect == .hub ? 90 : 12)
            }, told: { _ in })
        let first = try #require(
            outcome.comparisons.first { $0.subject == "hub" && $0.yardstick == "bare C" && $0.measure == "CPU per delivery" })
        #expect(abs((first.ratio ?? 0) - 1.05) < 1e-9)
        #expect(first.goal == .atMost(1.10))
        #expect(first.verdict == .reached)
        #expect(outcome.comparisons.contains { $0.subject == "mosquitto" && $0.yardstick == "bare C" && $0.goal == nil })
        #expect(outcome.comparisons.contains { $0.subject == "hub" && $0.yardstick == "mosquitto" && $0.pairs.count == 3 })
        let whole = try #require(outcome.whole(Contestant(.hub)))
        #expect(whole.operations == 3_000)
        #expect(abs(whole.serverTotal.totalSeconds - 610e-6) < 1e-9)
        #expect(whole.figures.first?.value == 90)
        #expect(outcome.whole(Contestant(.nchan)) == nil)
    }

    @Test("Also compares the hub's loops alone, which is what a peer has")
    func loopsAlone() throws {
        let outcome = Contest(match, servers: [.hub, .bareC], rounds: 1).run(
            measure: { server in
                var result = result(100)
                guard server.dialect == .hub else { return result }
                result.serverCPU = [
                    CPUTime(group: "loops", systemSeconds: 110e-6), CPUTime(group: "store", userSeconds: 90e-6),
                ]
                return result
            }, told: { _ in })
        let alone = try #require(outcome.comparisons.first { $0.measure == "CPU per delivery, the hub's loops alone" })
        #expect(abs((alone.ratio ?? 0) - 1.1) < 1e-9 && alone.goal == nil)
        let whole = try #require(outcome.comparisons.first { $0.measure == "CPU per delivery" })
        #expect(abs((whole.ratio ?? 0) - 2) < 1e-9 && whole.goal != nil)
    }

    @Test("Measures a second executable of the hub in turns with the first one")
    func otherHub() throws {
        var order: [Contestant] = []
        let outcome = Contest(match, servers: [.hub], withOtherHub: true, rounds: 2).run(
            measure: { server in
                order.append(server)
                return result(server.isOther ? 100 : 110)
            }, told: { _ in })
        #expect(order.map(\.title) == ["hub", "other hub", "other hub", "hub"])
        let beside = try #require(outcome.comparisons.first { $0.measure == "CPU per delivery" })
        #expect(beside.subject == "hub" && beside.yardstick == "other hub" && beside.goal == nil)
        #expect(abs((beside.ratio ?? 0) - 1.1) < 1e-9)
        #expect(outcome.whole(.otherHub(in: match))?.operations == 2_000)
    }

    @Test("Is read from what a person types")
    func typed() {
        #expect(Match("fanout:1000") == Match.all[0])
        #expect(Match("fanout:1000:20") == Match.all[2])
        #expect(Match("echo:1000", bytes: 20, isCompressed: true) == Match(.echo(sockets: 1_000), bytes: 20, isCompressed: true))
        for wrong in ["", "fanout", "fanout:", "fanout:x", "fanout:0", "fanout:1:2:3", "echo:1:2", "echo:-1", "race:1"] {
            #expect(Match(wrong) == nil)
        }
    }

    @Test("Says what is compared")
    func titles() {
        #expect(
            Match.all.map(\.title) == [
                "one 300 B message to 1 000 subscribers", "one 300 B message to 10 000 subscribers",
                "bursts of 20 messages of 300 B to 1 000 subscribers", "echo of 300 B on 1 000 sockets",
            ])
        #expect(Match(.echo(sockets: 10), isCompressed: true).goal(against: .bareC) == nil)
        var unusual = Match(.echo(sockets: 10))
        unusual.settings = ["loops.io-uring=false"]
        #expect(unusual.goal(against: .bareC) == nil)
        #expect(unusual.title == "echo of 300 B on 10 sockets; the hub with loops.io-uring=false")
        #expect(!Match(.echo(sockets: 10), isCompressed: true).admits(.bareC))
    }
}

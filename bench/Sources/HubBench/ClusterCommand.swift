import ArgumentParser
import Dialect
import Linux
import Load
import Report

struct ClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Several hubs on one database: cost of a delivery, time to another hub's clients, kill and freeze.",
        discussion: """
            The hubs share one PostgreSQL, one Kafka broker and one bus; each has as many sessions. The parts:

              cost      a broadcast to the sessions of 1, 2, … hubs: deliveries per second of all hubs' processor time, beside one hub
              crossing  two hubs, of which the first stores all events: publish → delivered, to its clients and to the other's
              kill      one of the hubs is killed under load; its clients go to the others
              freeze    one of the hubs is stopped for 20 s under load, and goes on

            Each entry must come once, to its user and to nobody else, or the run fails. PostgreSQL's and the broker's processor time are
            told apart. `--set bus=memory` and the like are settings of all hubs.

              hub-bench cluster                                 all parts with three hubs of 1 000 sessions
              hub-bench cluster --part crossing --rate 2000 --server-core=-1
            """)

    enum Part: String, CaseIterable, ExpressibleByArgument {
        case cost, crossing, kill, freeze
    }

    @Option(help: ArgumentHelp("A part. May be given several times. (default: all)", valueName: "part")) var part: [Part] = []
    @Option(help: ArgumentHelp("Hubs.", valueName: "count")) var nodes = 3
    @Option(help: ArgumentHelp("Sessions of each hub.", valueName: "count")) var sessions = 1_000
    @Option(help: ArgumentHelp("Events per second of the parts crossing, kill and freeze.", valueName: "per second")) var rate = 2_000.0
    @Option(help: ArgumentHelp("Entries of the part cost, for each number of hubs.", valueName: "count")) var entries = 50
    @Option(help: ArgumentHelp("Rounds of the part cost.", valueName: "count")) var rounds = 3
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if !(2...24).contains(nodes) { throw ValidationError("--nodes: from 2 to 24") }
        if !(1...18_000).contains(sessions) { throw ValidationError("--sessions: from 1 to 18000") }
        if !(1...10_000).contains(entries) { throw ValidationError("--entries: from 1 to 10000") }
        if !(1...100).contains(rounds) { throw ValidationError("--rounds: from 1 to 100") }
        try checkRate(rate, "--rate", zeroMeans: false)
        if how.clients != nil { throw ValidationError("--sessions says how many clients each hub has") }
        if server.url != nil || (server.server ?? .hub) != .hub { throw ValidationError("cluster measures only hubs that it starts") }
    }

    func run() throws {
        var cluster = Cluster()
        cluster.common = how.scenario(clients: sessions, seconds: 10)
        cluster.sessions = sessions
        let choice = try server.choice()
        let parts = part.isEmpty ? Part.allCases : part
        var comparisons: [Comparison] = []
        try measure("cluster", how, []) { _ in
            try parts.flatMap { part in
                switch part {
                case .cost: try cost(cluster, choice, &comparisons)
                case .crossing: [try cluster.crossing(choice, rate: rate)]
                case .kill: [try cluster.fault(.kill, choice, nodes: nodes, rate: rate)]
                case .freeze: [try cluster.fault(.freeze, choice, nodes: nodes, rate: rate)]
                }
            }
        } comparisons: {
            comparisons
        }
    }

    /// In each round one hub, then two, then three, so that other load of the machine affects all of them.
    private func cost(_ cluster: Cluster, _ choice: ServerChoice, _ comparisons: inout [Comparison]) throws -> [ScenarioResult] {
        var results: [ScenarioResult] = []
        var perSecond: [[Double]] = []
        for round in 0..<rounds {
            var column: [Double] = []
            for count in 1...nodes {
                let result = try cluster.cost(choice, nodes: count, entries: entries)
                column.append(result.figures.first { $0.name == Cluster.perSecond }?.value ?? 0)
                if round == 0 { results.append(result) }
            }
            perSecond.append(column)
        }
        for count in 2...nodes {
            var comparison = Comparison(
                title: "broadcast to \(sessions) sessions of each hub", measure: Cluster.perSecond, unit: "1/s", subject: "\(count) hubs",
                yardstick: "one hub", goal: .atLeast(0.9))
            comparison.pairs = perSecond.map { Comparison.Pair(subject: $0[count - 1], yardstick: $0[0]) }
            comparisons.append(comparison)
        }
        return results
    }
}

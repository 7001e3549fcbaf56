public import Dialect
public import Report

/// Servers measured in turns: each round measures every server once, so that whatever else the machine does falls on all of them, and
/// begins with another one. A ratio is taken between two measurements of one round; what is told is the median over the rounds.
public struct Contest: Sendable {
    public var match: Match
    public var servers: [Contestant]
    public var rounds: Int

    /// - Parameter withOtherHub: a second executable of the hub takes part, beside the first one.
    public init(_ match: Match, servers: [Dialect], withOtherHub: Bool = false, rounds: Int) {
        self.match = match
        self.servers = servers.filter(match.admits).map { Contestant($0) }
        if withOtherHub { self.servers.append(.otherHub(in: match)) }
        self.rounds = rounds
    }

    /// - Parameters:
    ///   - measure: starts the server, runs the match, ends the server. One that fails is left out of the later rounds.
    ///   - told: a line for whoever waits.
    public func run(
        measure: (Contestant) throws -> ScenarioResult, told: (String) -> Void, isCancelled: () -> Bool = { false }
    ) -> Outcome {
        var outcome = Outcome(match: match, rounds: [])
        for round in 0..<rounds {
            var found: [Contestant: ScenarioResult] = [:]
            for place in servers.indices {
                let server = servers[(place + round) % servers.count]
                if isCancelled() { return outcome }
                guard outcome.failures[server] == nil else { continue }
                do {
                    let result = try measure(server)
                    if let failure = result.failure {
                        outcome.failures[server] = failure
                    } else {
                        found[server] = result
                    }
                    told("\(match.title), round \(round + 1) of \(rounds): \(server.title) \(Self.words(result))")
                } catch {
                    outcome.failures[server] = "\(error)"
                    told("\(match.title), round \(round + 1) of \(rounds): \(server.title) failed: \(error)")
                }
            }
            outcome.rounds.append(found)
        }
        return outcome
    }

    private static func words(_ result: ScenarioResult) -> String {
        if let failure = result.failure { return "failed: \(failure)" }
        guard let all = result.serverNanosecondsPerOperation() else { return "was not measured" }
        let user = result.serverNanosecondsPerOperation(\.userSeconds) ?? 0
        return "\(Int(all)) ns of processor time per \(result.operation), of which \(Int(user)) user"
    }
}

/// What was found in one match.
public struct Outcome: Sendable {
    public let match: Match
    /// What each server did in each round.
    public var rounds: [[Contestant: ScenarioResult]]
    /// Why a server is missing from some round on.
    public var failures: [Contestant: String] = [:]

    /// For the report: each server's rounds as one result, the hub beside every other, and every peer beside bare C.
    public func record(in run: inout Run) {
        for server in contestants {
            if let result = whole(server) { run.scenarios.append(result) }
            if let failure = failures[server] {
                let note = "\(match.title): \(server.title) failed and was left out from then on: \(failure)"
                if !run.notes.contains(note) { run.notes.append(note) }
            }
        }
        run.comparisons += comparisons
    }

    /// - Returns: nil when the server was never measured.
    public func whole(_ server: Contestant) -> ScenarioResult? {
        let results = rounds.compactMap { $0[server] }
        guard var whole = results.first else { return nil }
        for result in results.dropFirst() { whole.include(result) }
        whole.parameters.append(Parameter("rounds", results.count))
        if let bytes = idleBytes(server) { whole.figures.append(Figure("memory per idle subscriber", bytes, "B")) }
        return whole
    }

    public var comparisons: [Comparison] {
        let subject = Contestant(match.subject)
        let bareC = Contestant(.bareC)
        let others = contestants.filter { $0 != subject }
        var comparisons = others.map { compare(subject, $0, goal: $0.isOther ? nil : match.goal(against: $0.dialect)) }
        // What the deliveries themselves cost, without intake and store, which no peer has.
        for other in [bareC, .otherHub(in: match)] {
            comparisons.append(
                compare(subject, other, "CPU per \(operation), the hub's loops alone") {
                    $0.serverNanosecondsPerOperation(group: "loops") ?? $0.serverNanosecondsPerOperation()
                })
        }
        comparisons += others.filter { $0 != bareC }.map { compare($0, bareC, "\($0.title): CPU per \(operation)") }
        return comparisons.filter { !$0.pairs.isEmpty }
    }

    private var contestants: [Contestant] { Dialect.allCases.map { Contestant($0) } + [.otherHub(in: match)] }

    private func compare(
        _ subject: Contestant, _ yardstick: Contestant, _ measure: String? = nil, goal: Goal? = nil,
        _ value: (ScenarioResult) -> Double? = { $0.serverNanosecondsPerOperation() }
    ) -> Comparison {
        let pairs = rounds.compactMap { round -> Comparison.Pair? in
            guard let first = round[subject].flatMap(value), let second = round[yardstick].flatMap(value) else { return nil }
            return Comparison.Pair(subject: first, yardstick: second)
        }
        return Comparison(
            title: match.title, measure: measure ?? "CPU per \(operation)", unit: "ns", subject: subject.title, yardstick: yardstick.title,
            pairs: pairs, goal: goal)
    }

    private var operation: String { rounds.lazy.flatMap(\.values).first?.operation ?? "operation" }

    /// The median over the rounds of what the process grew by, from before the first connection to when all were there.
    private func idleBytes(_ server: Contestant) -> Double? {
        median(
            rounds.compactMap { round in
                guard let points = round[server]?.memory, let first = points.first,
                    let last = points.max(by: { $0.connections < $1.connections }),
                    last.connections > first.connections
                else { return nil }
                return Double(last.residentBytes - first.residentBytes) / Double(last.connections - first.connections)
            })
    }
}

extension ScenarioResult {
    /// Another round of the same.
    mutating func include(_ other: ScenarioResult) {
        seconds += other.seconds
        operations += other.operations
        for count in other.counts {
            if let place = counts.firstIndex(where: { $0.name == count.name }) {
                counts[place].value += count.value
            } else {
                counts.append(count)
            }
        }
        for series in other.latencies {
            if let place = latencies.firstIndex(where: { $0.name == series.name }) {
                latencies[place].recorder.merge(series.recorder)
            } else {
                latencies.append(series)
            }
        }
        for time in other.serverCPU {
            if let place = serverCPU.firstIndex(where: { $0.group == time.group }) {
                serverCPU[place].add(time)
            } else {
                serverCPU.append(time)
            }
        }
        if let time = other.generatorCPU {
            if generatorCPU == nil { generatorCPU = CPUTime(group: time.group) }
            generatorCPU?.add(time)
        }
        notes += other.notes.filter { !notes.contains($0) }
    }
}

public import Dialect
public import Report

/// Measures servers in turns. Each round measures every server once, so that other load on the machine affects all of them, and each
/// round starts with another server. A ratio compares two measurements of the same round; the result is the median over the rounds.
public struct Contest: Sendable {
    public var match: Match
    public var servers: [Contestant]
    public var rounds: Int

    /// - Parameter withOtherHub: whether a second executable of the hub takes part.
    public init(_ match: Match, servers: [Dialect], withOtherHub: Bool = false, rounds: Int) {
        self.match = match
        self.servers = servers.filter(match.admits).map { Contestant($0) }
        if withOtherHub { self.servers.append(.otherHub(in: match)) }
        self.rounds = rounds
    }

    /// - Parameters:
    ///   - measure: starts the server, runs the match, and stops the server. A server that fails is left out of the later rounds.
    ///   - told: called with a progress line after each measurement.
    public func run(
        measure: (Contestant) throws -> ScenarioResult, told: (String) -> Void, isCancelled: () -> Bool = { false }
    ) -> Outcome {
        var outcome = Outcome(match: match, rounds: [])
        for round in 0..<rounds {
            var found: [Contestant: ScenarioResult] = [:]
            for index in servers.indices {
                let server = servers[(index + round) % servers.count]
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

/// The results of one match.
public struct Outcome: Sendable {
    public let match: Match
    /// The results of each server, by round.
    public var rounds: [[Contestant: ScenarioResult]]
    /// Why a server was left out after some round.
    public var failures: [Contestant: String] = [:]

    /// Adds to the report each server's rounds as one result, and compares the hub with every other server and every peer with bare C.
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
        // The cost of the deliveries alone, without intake and store, which no peer has.
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

    /// The growth of the process's memory per subscriber from before the first connection until all are connected; median of the rounds.
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
    /// Adds another round of the same server.
    mutating func include(_ other: ScenarioResult) {
        seconds += other.seconds
        operations += other.operations
        for count in other.counts {
            if let index = counts.firstIndex(where: { $0.name == count.name }) {
                counts[index].value += count.value
            } else {
                counts.append(count)
            }
        }
        for series in other.latencies {
            if let index = latencies.firstIndex(where: { $0.name == series.name }) {
                latencies[index].recorder.merge(series.recorder)
            } else {
                latencies.append(series)
            }
        }
        for time in other.serverCPU {
            if let index = serverCPU.firstIndex(where: { $0.group == time.group }) {
                serverCPU[index].add(time)
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

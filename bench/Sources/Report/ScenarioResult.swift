/// The results of one scenario with one server.
public struct ScenarioResult: Codable, Sendable, Equatable {
    /// `fanout`, `idle`, …
    public var scenario: String
    /// `hub`, `bare C`, `nginx + nchan`, …
    public var server: String
    public var parameters: [Parameter]
    /// The duration of the measured part, without the warm-up.
    public var seconds: Double
    /// The name of one operation, in the singular: "delivery", "echo", "ack".
    public var operation: String
    public var operations: Int64 = 0
    public var counts: [Count] = []
    public var latencies: [LatencySeries] = []
    /// The server's processor time by group of threads ("loops", "store", "Kafka"), or one group named "process".
    public var serverCPU: [CPUTime] = []
    /// The generator's processor time. If it is near a full processor, the generator was the bottleneck and not the server.
    public var generatorCPU: CPUTime?
    public var memory: [MemoryPoint] = []
    public var timelines: [Timeline] = []
    public var figures: [Figure] = []
    public var notes: [String] = []
    /// The reason why there is no result; nil when the scenario completed.
    public var failure: String?

    public init(scenario: String, server: String, parameters: [Parameter] = [], operation: String, seconds: Double = 0) {
        self.scenario = scenario
        self.server = server
        self.parameters = parameters
        self.operation = operation
        self.seconds = seconds
    }

    public var operationsPerSecond: Double { seconds > 0 ? Double(operations) / seconds : 0 }
    public var serverTotal: CPUTime {
        serverCPU.reduce(into: CPUTime(group: "all")) { $0.add($1) }
    }
    /// Nanoseconds of the server's processor time for each operation; nil when there were no operations.
    public func serverNanosecondsPerOperation(_ time: (CPUTime) -> Double = \.totalSeconds) -> Double? {
        operations > 0 && !serverCPU.isEmpty ? time(serverTotal) / Double(operations) * 1e9 : nil
    }
    /// The same for one group of threads; nil when the server has no group of that name.
    public func serverNanosecondsPerOperation(group: String) -> Double? {
        guard operations > 0 else { return nil }
        return serverCPU.first { $0.group == group }.map { $0.totalSeconds / Double(operations) * 1e9 }
    }
}

public struct Parameter: Codable, Sendable, Equatable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
    public init(_ name: String, _ value: Int) { self.init(name, String(value)) }
}

public struct Count: Codable, Sendable, Equatable {
    public var name: String
    public var value: Int64
    public init(_ name: String, _ value: Int64) {
        self.name = name
        self.value = value
    }
}

public struct LatencySeries: Codable, Sendable, Equatable {
    /// The start and end of the measured time: "publish → delivered", "ack → reply".
    public var name: String
    public var recorder: LatencyRecorder
    public init(_ name: String, _ recorder: LatencyRecorder) {
        self.name = name
        self.recorder = recorder
    }
}

public struct CPUTime: Codable, Sendable, Equatable {
    public var group: String
    public var userSeconds: Double
    public var systemSeconds: Double
    public init(group: String, userSeconds: Double = 0, systemSeconds: Double = 0) {
        self.group = group
        self.userSeconds = userSeconds
        self.systemSeconds = systemSeconds
    }
    public var totalSeconds: Double { userSeconds + systemSeconds }
    /// The standard error of `userSeconds`. The kernel samples at every tick whether a thread is in user or system mode: the sum is exact,
    /// but the division is an estimate from this many ticks.
    public func userStandardError(ticksPerSecond: Double = 100) -> Double {
        guard totalSeconds > 0 else { return 0 }
        let share = userSeconds / totalSeconds
        return (share * (1 - share) / (totalSeconds * ticksPerSecond)).squareRoot() * totalSeconds
    }
    public mutating func add(_ other: CPUTime) {
        userSeconds += other.userSeconds
        systemSeconds += other.systemSeconds
    }
}

/// The server's memory at a number of connections. Unknown values are nil, never 0.
public struct MemoryPoint: Codable, Sendable, Equatable {
    public var connections: Int
    public var residentBytes: Int64
    /// Resident pages that belong to no file, which the program itself has allocated.
    public var anonymousBytes: Int64?
    /// The slab and socket buffers of the whole machine, including the clients' ends of the sockets.
    public var kernelBytes: Int64?
    public init(connections: Int, residentBytes: Int64, anonymousBytes: Int64? = nil, kernelBytes: Int64? = nil) {
        self.connections = connections
        self.residentBytes = residentBytes
        self.anonymousBytes = anonymousBytes
        self.kernelBytes = kernelBytes
    }
}

/// A value over the run's time: "deliveries per second", "connections", "resident bytes".
public struct Timeline: Codable, Sendable, Equatable {
    public struct Point: Codable, Sendable, Equatable {
        public var seconds: Double
        public var value: Double
        public init(seconds: Double, value: Double) {
            self.seconds = seconds
            self.value = value
        }
    }
    public var name: String
    public var unit: String
    public var points: [Point]
    public init(name: String, unit: String, points: [Point] = []) {
        self.name = name
        self.unit = unit
        self.points = points
    }
}

/// Any other number of the report.
public struct Figure: Codable, Sendable, Equatable {
    public var name: String
    public var value: Double
    public var unit: String
    public var goal: Goal?
    public init(_ name: String, _ value: Double, _ unit: String, goal: Goal? = nil) {
        self.name = name
        self.value = value
        self.unit = unit
        self.goal = goal
    }
    public var verdict: Verdict { goal?.verdict(on: value) ?? .told }
}

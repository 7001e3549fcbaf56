public import FoundationEssentials

/// All results of one call of the bench.
public struct Run: Codable, Sendable, Equatable {
    public var title: String
    /// When the run began.
    public var date: Date
    /// The command line, so that the run can be repeated.
    public var command: [String]
    public var machine: Machine
    /// The versions of the hub and of every peer that took part.
    public var versions: [Version]
    public var scenarios: [ScenarioResult] = []
    public var comparisons: [Comparison] = []
    /// Single measured values with a goal of their own, such as the time until ready.
    public var figures: [Figure] = []
    public var notes: [String] = []

    public init(title: String, date: Date = Date(), command: [String] = CommandLine.arguments, machine: Machine, versions: [Version] = []) {
        self.title = title
        self.date = date
        self.command = command
        self.machine = machine
        self.versions = versions
    }

    public struct Version: Codable, Sendable, Equatable {
        public var name: String
        public var version: String
        public init(_ name: String, _ version: String) {
            self.name = name
            self.version = version
        }
    }

    /// Adds the results of another run to this one, to report several commands together.
    public mutating func add(_ other: Run) {
        scenarios += other.scenarios
        comparisons += other.comparisons
        figures += other.figures
        notes += other.notes.filter { !notes.contains($0) }
        versions += other.versions.filter { !versions.contains($0) }
    }
}

/// The machine on which the bench ran.
public struct Machine: Codable, Sendable, Equatable {
    public var processor: String
    /// The processors that this process may use. In a container they can be fewer than the machine has.
    public var cores: Int
    public var memoryBytes: Int64
    public var kernel: String
    public var system: String
    /// The machine's load of the last minute when the run began. If it is higher than the run's own load, the figures are unreliable.
    public var load: Double

    public init(processor: String, cores: Int, memoryBytes: Int64, kernel: String, system: String, load: Double) {
        self.processor = processor
        self.cores = cores
        self.memoryBytes = memoryBytes
        self.kernel = kernel
        self.system = system
        self.load = load
    }
}

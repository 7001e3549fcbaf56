import Dialect
import Foundation
import Linux
import Report

/// How the generator is set up.
public struct GeneratorOptions: Sendable {
    /// Client sockets over all workers.
    public var clients = 1_000
    /// Generator processes; 0: one for every 18 000 clients.
    public var workers = 0
    public var processor: Int? = 1
    /// The workers poll and never sleep.
    public var spins = false
    public var concurrency = 64
    public var connectRate = 0.0
    public var isQuiet = false
    public init() {}

    /// A process may open 20 000 files here, and some of them are not sockets.
    static let mostSeatsPerWorker = 18_000
}

/// Controls the workers through the phases of a scenario, publishes meanwhile, and enforces the time limits.
final class Conductor {
    let server: Server
    let options: GeneratorOptions
    let epoch: Int64
    /// The conductor's own connections: a publisher, a probe.
    let swarm: Swarm
    private var workers: [(process: Linux.Process, channel: WorkerChannel, seats: Int)] = []
    private let signals: Signals
    private var failure: (any Error)?
    private var planned = 0
    private var begun = 0
    private var ready: [Findings] = []
    private var done: [Findings] = []
    /// Open sockets and events so far, by worker.
    private var open: [Int] = []
    private var events: [Int64] = []
    private(set) var rounds: [Int64] = []
    private var timelinePoints: [Timeline.Point] = []
    private let progress: ProgressLine
    /// Called in every turn of the loop; returns the time at which it has to be called next.
    var pulse: (() throws -> Int64)?
    private var lastShown: Int64 = 0
    private var shownEvents: Int64 = 0

    init(_ server: Server, _ options: GeneratorOptions, role: Role = .subscriber, ownSeats: Int = 0) throws {
        self.server = server
        self.options = options
        epoch = MonotonicInstant.now.nanoseconds
        signals = try Signals()
        progress = ProgressLine(isQuiet: options.isQuiet)
        if let processor = options.processor { try Linux.Process.pin(0, to: processor) }
        swarm = try Swarm(Self.door(server, role, sources: 1, compressed: false), seats: ownSeats)
        try swarm.watch(signals.descriptor) { [unowned self] in
            while let signal = signals.next() {
                if signal == .interrupt || signal == .terminate { failure = LoadFailure("interrupted") }
            }
        }
    }

    deinit { dismiss() }

    static func door(_ server: Server, _ role: Role, sources: Int, compressed: Bool) -> Door {
        let handshake = server.dialect.handshake(role, compressed: false)
        return Door(
            host: server.host, port: server.port, path: server.choice.path ?? handshake.path, subprotocols: handshake.subprotocols,
            isCompressed: compressed,
            firstSource: 2, sources: sources)
    }

    // MARK: Workers

    /// Starts the workers and tells each its share.
    /// - Parameter adjust: changes the plan of the worker with this index.
    func hire(_ part: Part, role: Role, pairs: Bool = false, adjust: (inout Plan) -> Void = { _ in }) throws {
        let unit = pairs ? 2 : 1
        let count =
            options.workers > 0
            ? options.workers : (options.clients + GeneratorOptions.mostSeatsPerWorker - 1) / GeneratorOptions.mostSeatsPerWorker
        var first = 0
        for index in 0..<max(count, 1) {
            let seats = (options.clients / unit * (index + 1) / count - options.clients / unit * index / count) * unit
            guard seats <= Linux.Machine.descriptorLimit - 64 else {
                throw LoadFailure(
                    "\(seats) clients in one process, and it may open \(Linux.Machine.descriptorLimit) files: give more --workers")
            }
            // 10 000 sockets from one address leave ports for sockets of earlier runs in TIME_WAIT.
            var door = Self.door(server, role, sources: 1 + seats / 10_000, compressed: server.choice.isCompressed)
            door.firstSource = 2 + index * 4
            var plan = Plan(
                door: door, part: part, seats: seats, firstSeat: first, concurrency: options.concurrency,
                connectRate: options.connectRate * Double(seats) / Double(max(options.clients, 1)), processor: options.processor,
                spins: options.spins, epoch: epoch, signer: server.signer)
            adjust(&plan)
            first += seats
            let (own, theirs) = try Socket.pair()
            var spawning = Linux.Process.Options()
            spawning.channel = theirs
            spawning.diesWithParent = true
            let process = try Linux.Process.spawn(["/proc/self/exe", "worker"], spawning)
            Socket.close(theirs)
            let channel = WorkerChannel(own)
            workers.append((process, channel, seats))
            open.append(0)
            events.append(0)
            rounds.append(0)
            try swarm.watch(own) { [unowned self] in hear(index) }
            try channel.send(Order.plan(plan))
        }
        // Signing an RS256 token takes almost a millisecond.
        try wait(within: .seconds(30) + .milliseconds(options.clients * 3), for: "the workers to prepare") { planned == workers.count }
    }

    private func hear(_ index: Int) {
        do {
            for word: Word in try workers[index].channel.take() {
                switch word {
                case .planned: planned += 1
                case .begun: begun += 1
                case .ready(let findings): ready.append(findings)
                case .progress(let open, let events):
                    self.open[index] = open
                    self.events[index] = events
                case .round(let count): rounds[index] = count
                case .done(let findings): done.append(findings)
                case .failed(let reason): failure = LoadFailure(reason)
                }
            }
        } catch { failure = error }
        if workers[index].channel.isEnded {
            swarm.unwatch(workers[index].channel.fd)
            if failure == nil { failure = LoadFailure("generator process \(index) ended") }
        }
    }

    private func tell(_ order: Order) throws { for worker in workers { try worker.channel.send(order) } }

    private func dismiss() {
        for worker in workers {
            try? worker.channel.send(Order.quit)
            swarm.unwatch(worker.channel.fd)
            Socket.close(worker.channel.fd)
            let deadline = MonotonicInstant.now + .seconds(5)
            while (try? worker.process.exitStatus()) == .some(.none) {
                if MonotonicInstant.now > deadline { worker.process.kill(.kill) }
                Linux.Thread.pause(.milliseconds(5))
            }
        }
        workers = []
        progress.end()
    }

    // MARK: Phases

    /// Runs the loop until the condition is true.
    func wait(within limit: Duration, for what: String, _ isSo: () throws -> Bool) throws {
        let deadline = MonotonicInstant.now + limit
        while try !isSo() {
            if let failure { throw failure }
            guard MonotonicInstant.now < deadline else {
                throw LoadFailure("waited \(limit.rounded) for \(what); \(open.reduce(0, +)) sockets are open")
            }
            try step(until: MonotonicInstant.now.nanoseconds + 5_000_000, what)
        }
        if let failure { throw failure }
    }

    /// Runs the loop until exactly this time.
    func turn(until moment: Int64, _ what: String) throws {
        while MonotonicInstant.now.nanoseconds < moment {
            if let failure { throw failure }
            try step(until: min(moment, MonotonicInstant.now.nanoseconds + 50_000_000), what)
        }
    }

    /// Reads the workers' reports without waiting. For use while another conductor is waiting.
    func attend() throws {
        if let failure { throw failure }
        try swarm.turn(until: 0)
    }

    private func step(until moment: Int64, _ what: String) throws {
        let next = try pulse?() ?? moment
        try swarm.turn(until: min(moment, next))
        show(what)
    }

    func connect(_ order: Order = .open, within limit: Duration? = nil) throws -> Findings {
        ready = []
        try tell(order)
        let paced = options.connectRate > 0 ? Duration.seconds(Int(Double(options.clients) / options.connectRate)) : .zero
        try wait(within: limit ?? .seconds(30) + paced + .milliseconds(options.clients * 10), for: "\(options.clients) clients to be ready")
        {
            ready.count == workers.count
        }
        return merged(ready)
    }

    func begin() throws {
        begun = 0
        try tell(.begin)
        try wait(within: .seconds(10), for: "the workers to begin") { begun == workers.count }
    }

    /// - Parameter expected: deliveries per seat since it connected.
    func finish(expected: Int64? = nil, within limit: Double = 20) throws -> Findings {
        done = []
        try tell(.finish(expected: expected, withinSeconds: limit))
        try wait(within: .seconds(Int(limit) + 10), for: "what is under way") { done.count == workers.count }
        let findings = merged(done)
        if findings.count(Findings.incomplete) > 0 {
            let counts = findings.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            throw LoadFailure("not everything came within \(Int(limit)) s: \(counts)")
        }
        return findings
    }

    func cut() throws {
        try tell(.cut)
        try wait(within: .seconds(20), for: "the clients to be cut") { open.reduce(0, +) == 0 }
    }

    func pause(seats: Int) throws {
        for worker in workers {
            try worker.channel.send(Order.pause(seats: Int((Double(seats) * Double(worker.seats) / Double(options.clients)).rounded())))
        }
    }

    func resume() throws { try tell(.resume) }

    private func merged(_ all: [Findings]) -> Findings { all.reduce(into: Findings()) { $0.merge($1) } }

    var openSockets: Int { open.reduce(0, +) }
    var totalEvents: Int64 { events.reduce(0, +) }

    private func show(_ what: String) {
        let now = MonotonicInstant.now.nanoseconds
        guard now - lastShown > 250_000_000 else { return }
        let seconds = Double(now - lastShown) / 1e9
        let rate = lastShown == 0 ? 0 : Double(totalEvents - shownEvents) / seconds
        lastShown = now
        shownEvents = totalEvents
        timelinePoints.append(Timeline.Point(seconds: Double(now - epoch) / 1e9, value: rate))
        progress.show("\(what): \(open.reduce(0, +)) sockets, \(totalEvents) events, \(Int(rate))/s")
    }

    func timeline(_ name: String) -> Timeline { Timeline(name: name, unit: "1/s", points: timelinePoints) }
}

/// A progress line on stderr that is overwritten; nothing when stderr is not a terminal.
final class ProgressLine {
    private let isShown: Bool
    private var isUnderWay = false

    init(isQuiet: Bool) {
        let stderr = (try? Files.absolute("/proc/self/fd/2")) ?? ""
        isShown = !isQuiet && (stderr.hasPrefix("/dev/pts") || stderr.hasPrefix("/dev/tty"))
    }

    func show(_ text: String) {
        guard isShown else { return }
        isUnderWay = true
        FileHandle.standardError.write(Data("\r\(text)\u{1B}[K".utf8))
    }

    func end() {
        if isUnderWay { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
        isUnderWay = false
    }
}

extension Duration {
    var rounded: String { "\(wholeNanoseconds / 1_000_000) ms" }
    var seconds: Double { Double(wholeNanoseconds) / 1e9 }
}

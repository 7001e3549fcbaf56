import Auth
import Bus
import BusEngines
package import Configuration
import HTTP
import Intake
import Kafka
import KeySource
import Linux
package import Logging
import Messaging
import Reactor
import Sessions
import Store
package import Telemetry
import WSProtocol

/// A running hub: its loops, its store, its intake and its keys, started and stopped in order.
///
/// Start: the store first, because it creates the tables; then keys and loops; the intake last, when the loops can deliver its entries.
/// Stop: the intake stops reading, and the sessions drain meanwhile; then the store finishes its requests; then the loops end.
/// More than twelve stored properties: its parts.
package final class Server {
    private let desk: NodeDesk
    private let log: Logger
    private let store: Store
    private let engine: EngineBus?
    private let keys: KeyFeed
    private let intake: Intake
    private let loops: [LoopThread]
    private let metricsServer: MetricsServer?
    private var threads: [Thread] = []
    private let health: Health
    private let isAccepting = AtomicFlag()
    private var silences = SilenceReport()
    /// The listening address. It contains the actual port when the configuration asks for port 0.
    package let address: ListenEndpoint

    /// - Parameter demo: the folder of the embedded services, whose key signs the demo's tokens; nil in production.
    package init(_ configuration: Configuration, demoFolder: String?, log: Logger, logMetrics: LogMetrics) throws(ServerFailure) {
        var parts = try PartSettings(Self.withDescriptors(configuration, log), processors: Machine.processors)
        self.log = log
        let health = Health()
        self.health = health
        let hasKeys = AtomicFlag()
        health.watch(.accepting) { [isAccepting] in isAccepting.isSet }
        health.watch(.keys) { hasKeys.isSet }

        parts.loop.contextKeys = try parts.contextKeys.map { path throws(ServerFailure) in try GatewayKeys.read(path) }
        let listeners = try Self.listen(parts.listen, count: parts.loops)
        address = listeners.address
        parts.store.nodeName = configuration.nodeName(port: address.port)
        do throws(SystemError) {
            var loops: [LoopThread] = []
            for index in 0..<parts.loops { loops.append(try LoopThread(index: index, settings: parts.loop)) }
            self.loops = loops
        } catch {
            throw ServerFailure("making the event loops", "\(error)")
        }
        let inboxes = loops.map(\.inbox)
        engine = try parts.engine.map { settings throws(ServerFailure) in try Self.makeEngine(settings, log) }
        let bus: any Bus = engine ?? MemoryBus()
        for inbox in inboxes { bus.subscribe(inbox) }

        store = try Self.makeStore(parts.store, bus: bus, log: log) {
            for inbox in inboxes { inbox.historyChanged() }
        }
        try Self.start(engine, with: store)
        let metrics = HubMetrics(health: health, store: store.statistics, bus: engine?.statistics ?? BusStatistics(), log: logMetrics)
        desk = NodeDesk(parts.drain, loops: inboxes, isAccepting: isAccepting, metrics: metrics.serving, lag: metrics.intake.lag, log: log)
        store.use(desk)
        health.watch(.store) { [store] in store.state == .up }
        health.watch(.kafka) { [intake = metrics.intake] in
            intake.brokersUp.value == 1 || (intake.brokersUp.value != 0 && intake.partitions.value > 0)
        }
        health.watch(.reading) { [intake = metrics.intake] in intake.refusals.value == 0 }
        health.watchSources { [intake = metrics.intake] in
            intake.silentSources.values.filter { $0.value == 1 }.keys.sorted()
        }
        health.watch(.deadLetters) { [intake = metrics.intake] in intake.deadLetterTopic.value != 0 }
        do throws(SystemError) {
            let settings = parts.keys
            keys = try KeyFeed(
                settings.location, settings: settings.rules, limits: settings.limits, metrics: metrics.keys, log: log
            ) { news in
                switch news {
                case .keys(let keys, _): hasKeys.set(!keys.isEmpty)
                case .tooOld: hasKeys.set(false)
                }
                for inbox in inboxes { inbox.hear(news) }
            }
        } catch {
            throw ServerFailure("preparing the keys", "\(error)")
        }
        let demo = try demoFolder.map { folder throws(ServerFailure) in try Demo(folder: folder, settings: parts.demo) }
        let metricsText: @Sendable () -> String = { metrics.text() }
        var ownMetrics: MetricsServer?
        if let endpoint = parts.metricsListen {
            let routes = HubRoutes(health: health, metrics: metricsText, demo: nil)
            ownMetrics = try MetricsServer(endpoint, routes: routes, limits: parts.loop.serving)
        }
        metricsServer = ownMetrics
        let routes = HubRoutes(health: health, metrics: ownMetrics == nil ? metricsText : nil, demo: demo)
        let services = HubServices(
            node: parts.store.nodeName, bus: bus, store: store, limits: parts.loop.sessions.session
        ) { [keys] kid in keys.request(kid) }
        do throws(SystemError) {
            for (loop, listener) in zip(loops, listeners.sockets) {
                threads.append(
                    try loop.start(
                        parts.loop, listener: listener, loops: loops.map(\.arrivals), services: services, routes: routes,
                        metrics: metrics.serving, log: log))
            }
        } catch {
            throw ServerFailure("starting the event loops", "\(error)")
        }
        let rules: RulesFile?
        do throws(RulesFile.Failure) {
            rules = try parts.intake.rulesFile.map { path throws(RulesFile.Failure) in try RulesFile(reading: path) }
        } catch {
            throw ServerFailure("reading the rules", "\(error)")
        }
        do throws(KafkaError) {
            intake = try Intake(parts.intake, rules: rules, store: store, metrics: metrics.intake, log: log)
        } catch {
            throw ServerFailure("connecting to Kafka", "\(error)")
        }
        do throws(SystemError) {
            for loop in loops { try loop.listening.wait() }
        } catch {
            throw ServerFailure("listening on \(address)", "\(error)")
        }
        for loop in loops { health.threads.watch(loop.name, loop.heartbeat) }
        if let metricsServer {
            health.threads.watch(MetricsServer.threadName, metricsServer.heartbeat)
            log.info("metrics", metadata: ["url": "http://\(metricsServer.address)/metrics"])
        }
        health.threads.watch("store", store.heartbeat)
        health.threads.watch("intake", intake.heartbeat)
        if let engine { health.threads.watch("bus", engine.heartbeat) }
        // The thread of the keys may wait for several fetches, one after the other.
        health.threads.watch("keys", keys.heartbeat, silentAfter: .seconds(30))
    }

    /// Why the hub cannot start before somebody has acted.
    package var startFailure: String? { store.startFailure }

    /// Logs which threads have become silent since the last call, and which run again.
    package func reportThreads() {
        let (new, back) = silences.look(health.threads.silent)
        for thread in new {
            log.error("a thread hangs", metadata: ["thread": "\(thread.name)", "seconds": "\(thread.silence.components.seconds)"])
        }
        for thread in back { log.notice("a thread that hung runs again", metadata: ["thread": "\(thread)"]) }
    }

    /// Waits at most `limit` until the hub can serve clients. False when it cannot yet; `/readyz` then lists the missing parts.
    package func waitUntilReady(within limit: Duration) -> Bool {
        let end = MonotonicInstant.now + limit
        isAccepting.set(true)
        while case .notReady = health.readiness {
            if MonotonicInstant.now >= end { return false }
            Thread.pause(.milliseconds(1))
        }
        return true
    }

    /// The reasons why `/readyz` does not report ready.
    package var missing: [String] {
        if case .notReady(let reasons) = health.readiness { return reasons }
        return []
    }

    /// Drains the sessions, finishes their requests and ends every thread. Takes at most about
    /// `drain.within` and 5 s, even if a thread hangs.
    /// - Returns: the threads that have not ended, and are left behind.
    package func stop() -> [String] {
        isAccepting.set(false)
        let limit = desk.settings.within
        intake.stop(within: limit / 4)
        desk.end(within: limit / 2)
        let end = MonotonicInstant.now + limit / 2
        while loops.contains(where: { $0.inbox.openSessions > 0 }), MonotonicInstant.now < end { Thread.pause(.milliseconds(10)) }
        var left: [String] = []
        if !intake.join(within: limit / 4 + .seconds(1)) { left.append("intake") }
        if !store.stop(within: Self.storeWithin) { left.append("store") }
        // Behind the store, whose last commits it carries.
        if let engine, !engine.stop(within: Self.threadsWithin) { left.append("bus") }
        for loop in loops { loop.inbox.control(.stop) }
        let last = MonotonicInstant.now + Self.threadsWithin
        if !keys.stop(within: Self.threadsWithin) { left.append("keys") }
        for (loop, thread) in zip(loops, threads) where !thread.join(within: last - .now) { left.append(loop.name) }
        if let metricsServer, !metricsServer.stop(within: max(.zero, last - .now)) { left.append(MetricsServer.threadName) }
        for name in left { log.error("a thread has not ended, and is left behind", metadata: ["thread": "\(name)"]) }
        log.info("stopped")
        return left
    }

    /// A start does not wait longer for a Redis server that is away.
    private static let versionWithin: Duration = .seconds(2)
    /// The store answers what it has accepted for 5 s.
    private static let storeWithin: Duration = .seconds(6)
    /// Nothing keeps these threads any more, except for one fetch of the keys.
    private static let threadsWithin: Duration = .seconds(3)

    // MARK: Parts

    /// Raises the limit of open files, and cuts the clients' share of them to what it allows.
    private static func withDescriptors(_ asked: Configuration, _ log: Logger) -> Configuration {
        let loops = asked.loops.number(processors: Machine.processors)
        let before = Machine.descriptorLimit
        do throws(SystemError) { try Machine.raiseDescriptorLimit() } catch {
            log.warning("the limit of open files cannot be raised", metadata: ["reason": "\(error)"])
        }
        let limit = Machine.descriptorLimit
        let budget = DescriptorBudget(asked: asked.limits.connections, descriptors: limit, loops: loops)
        let facts: Logger.Metadata = ["limit": "\(limit)", "was": "\(before)", "connections": "\(budget.connections)"]
        if budget.isCut {
            log.notice("fewer connections than limits.connections, because of the limit of open files", metadata: facts)
        } else {
            log.info("open files", metadata: facts)
        }
        var configuration = asked
        configuration.limits.connections = budget.connections
        return configuration
    }

    private static func makeStore(
        _ settings: StoreConfiguration, bus: any Bus, log: Logger, historyChanged: @escaping @Sendable () -> Void
    ) throws(ServerFailure) -> Store {
        do throws(SystemError) {
            let store = try Store(configuration: settings, bus: bus, logger: log, historyChanged: historyChanged)
            try store.start()
            return store
        } catch {
            throw ServerFailure("starting the store", "\(error)")
        }
    }

    private static func makeEngine(_ settings: EngineSettings, _ log: Logger) throws(ServerFailure) -> EngineBus {
        if let reason = settings.refusal(within: versionWithin) { throw ServerFailure("preparing the bus", reason) }
        do throws(SystemError) {
            return try EngineBus(settings, log: log)
        } catch {
            throw ServerFailure("preparing the bus", "\(error)")
        }
    }

    private static func start(_ engine: EngineBus?, with store: Store) throws(ServerFailure) {
        do throws(SystemError) {
            try engine?.start(
                EngineBus.Surroundings(
                    epoch: { store.epoch }, hasOthers: { store.hasOthers }, look: { store.lookAtJournal() }))
        } catch {
            throw ServerFailure("starting the bus", "\(error)")
        }
    }

    /// One listening socket for each loop; the kernel spreads the connections over them (`SO_REUSEPORT`).
    private static func listen(
        _ endpoint: ListenEndpoint, count: Int
    ) throws(ServerFailure) -> (sockets: [Int32], address: ListenEndpoint) {
        do throws(SystemError) {
            try Socket.requireFree(host: endpoint.host, port: endpoint.port)
            let first = try Socket.listen(host: endpoint.host, port: endpoint.port, reusePort: true)
            let address = ListenEndpoint(host: endpoint.host, port: try Socket.localPort(first))
            var sockets = [first]
            for _ in 1..<max(1, count) { sockets.append(try Socket.listen(host: address.host, port: address.port, reusePort: true)) }
            return (sockets, address)
        } catch {
            throw ServerFailure("listening on \(endpoint)", "\(error)")
        }
    }
}

/// The step at which the start failed, and the reason.
package struct ServerFailure: Error, CustomStringConvertible {
    package let step: String
    package let reason: String
    package init(_ step: String, _ reason: String) {
        self.step = step
        self.reason = reason
    }
    package var description: String { "\(step): \(reason)" }
}

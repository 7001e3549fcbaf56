import Configuration
import Embedded
import Hub
import HubClient
internal import Linux
internal import Logging
import Telemetry

/// Runs `hub serve` and `hub echo`: the start, the line on stdout, and the shutdown.
struct ServeRun {
    private let effective: EffectiveConfiguration
    private let log: Logger
    private let lines: LogWriter
    private let logMetrics = LogMetrics()
    private let signals: Signals

    /// The interval of log lines about missing parts during a start.
    private static let remindEvery: Duration = .seconds(10)
    private static let lookEvery: Duration = .milliseconds(250)
    private static let lookAtThreadsEvery: Duration = .seconds(5)
    /// How long the end waits for a reader of stderr that does not read.
    private static let lastLinesWithin: Duration = .seconds(1)

    /// Starts logging to stderr, beginning with the warnings of the configuration.
    init(_ effective: EffectiveConfiguration) throws(CommandFailure) {
        Machine.mapLargeBlocks()
        self.effective = effective
        let settings = LogSettings(effective.configuration.log)
        do throws(SystemError) {
            let lines = try LogWriter(to: Console.errorDescriptor, metrics: logMetrics) { missing in
                LineLog(level: settings.level, format: settings.format, clock: WallClock.now) { _ in }
                    .line(.error, "log lines were dropped, because stderr was not read", ["lines": "\(missing)"])
            }
            self.lines = lines
            log = Logger(label: "hub") { _ in
                LineLog(level: settings.level, format: settings.format, clock: WallClock.now, write: lines.write)
            }
            for warning in effective.warnings { log.warning("odd configuration", metadata: ["what": "\(warning)"]) }
            signals = try Signals()
        } catch {
            throw CommandFailure(.failed, "\(error)")
        }
    }

    /// Serves until a signal stops the process.
    func serve() throws(CommandFailure) {
        let left = LeftThreads()
        defer {
            _ = lines.finish(within: Self.lastLinesWithin)
            // The functions that a process runs when it exits must not meet threads that hang.
            if let code = left.exitCode { Process.exit(code) }
        }
        guard effective.configuration.embedded else {
            try serve(effective, embedded: nil, left)
            return
        }
        let services = try startServices()
        defer { services.stop() }
        let complete: EffectiveConfiguration
        do throws(ConfigurationRefusal) {
            complete = try effective.with(embedded: services.settings, defaults: EmbeddedServices.defaults)
        } catch {
            throw CommandFailure(error)
        }
        try serve(complete, embedded: services, left)
    }

    /// Runs what an embedded hub brings along, for other hubs, until a signal stops the process.
    /// - Parameter url: where clients will reach those hubs.
    func services(url: String) throws(CommandFailure) {
        defer { _ = lines.finish(within: Self.lastLinesWithin) }
        let services = try startServices()
        defer { services.stop() }
        do throws(EmbeddedFailure) { try services.announce(url: url) } catch { throw CommandFailure(error) }
        Console.print("ready")
        waitForEnd(hangupEnds: true) {}
    }

    private func startServices() throws(CommandFailure) -> EmbeddedServices {
        let (configuration, kafka) = (effective.configuration, effective.configuration.kafka)
        do throws(EmbeddedFailure) {
            return try EmbeddedServices(
                folder: configuration.data, topics: kafka.topics + [kafka.deadLetterTopic, configuration.busTopic], log: log)
        } catch {
            throw CommandFailure(error)
        }
    }

    private func serve(
        _ effective: EffectiveConfiguration, embedded: EmbeddedServices?, _ left: LeftThreads
    ) throws(CommandFailure) {
        let configuration = effective.configuration
        do throws(ConfigurationRefusal) { try effective.require(.serve) } catch { throw CommandFailure(error) }
        let server: Server
        do throws(ServerFailure) {
            server = try Server(configuration, demoFolder: embedded == nil ? nil : configuration.data, log: log, logMetrics: logMetrics)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        defer {
            endAnyway(after: configuration.drain.within + (embedded == nil ? .seconds(10) : .seconds(60)))
            left.names = server.stop()
        }
        guard try waitUntilReady(server) else { return }
        let url = "http://\(server.address)"
        do throws(EmbeddedFailure) { try embedded?.announce(url: url) } catch { throw CommandFailure(error) }
        if embedded != nil {
            for line in Self.warning(folder: configuration.data) { lines.write(line) }
        }
        Console.print("ready \(url)")
        waitForEnd(hangupEnds: embedded != nil, server.reportThreads)
    }

    /// Ends the process when its own end takes longer than it can, so that SIGTERM is obeyed even if a thread hangs.
    private func endAnyway(after limit: Duration) {
        let (log, lines) = (log, lines)
        _ = try? Thread.spawn(name: "end") {
            Thread.pause(limit)
            log.critical("the hub does not end, and is ended", metadata: ["after_seconds": "\(limit.components.seconds)"])
            _ = lines.finish(within: Self.lastLinesWithin)
            Process.exit(CommandFailure.Kind.failed.rawValue)
        }
    }

    /// Echoes until a signal stops the process.
    func echo(messageBytes: Int) throws(CommandFailure) {
        defer { _ = lines.finish(within: Self.lastLinesWithin) }
        let server: EchoServer
        do throws(ServerFailure) {
            server = try EchoServer(effective.configuration, messageBytes: messageBytes, log: log)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        defer { server.stop() }
        Console.print("ready http://\(server.address)")
        waitForEnd(hangupEnds: true) {}
    }

    // MARK: Waiting

    /// False when a signal stopped the process before the server was ready.
    private func waitUntilReady(_ server: Server) throws(CommandFailure) -> Bool {
        var reminder = MonotonicInstant.now + Self.remindEvery
        while !server.waitUntilReady(within: Self.lookEvery) {
            if signal(within: .zero).map({ $0 != .childEnded && $0 != .hangup }) ?? false { return false }
            if let reason = server.startFailure {
                throw CommandFailure(.unavailable, "database: " + reason.split(whereSeparator: \.isNewline).joined(separator: " "))
            }
            if MonotonicInstant.now >= reminder {
                log.warning("not ready yet", metadata: ["missing": "\(server.missing.joined(separator: ","))"])
                reminder = MonotonicInstant.now + Self.remindEvery
            }
        }
        return true
    }

    private func waitForEnd(hangupEnds: Bool, _ look: () -> Void) {
        while true {
            switch signal(within: Self.lookAtThreadsEvery) {
            case .interrupt, .terminate, .kill:
                log.info("stopping")
                return
            case .hangup:
                // A closed terminal ends a trial. A service ignores the signal, because it cannot reload its configuration.
                if hangupEnds { return }
                log.notice("hang-up ignored")
            case .childEnded: continue
            case nil: look()
            }
        }
    }

    private func signal(within limit: Duration) -> Signals.Signal? {
        guard (try? Socket.wait(signals.descriptor, readable: true, timeout: limit)) == true else { return nil }
        return signals.next()
    }

    private static func warning(folder: String) -> [String] {
        let lines = [
            "EMBEDDED MODE: NOT FOR PRODUCTION",
            "The hub runs its own PostgreSQL and Kafka broker, on this machine only, with their data in \(folder).",
            "The broker loses its records when the hub stops. Anybody who has the folder's key can make tokens.",
        ]
        let rule = String(repeating: "*", count: 98)
        return [rule] + lines.map { "*  \($0)" } + [rule]
    }
}

/// The threads that a server has left behind.
private final class LeftThreads {
    var names: [String] = []

    /// nil when all have ended. librdkafka before 2.3 may never return from freeing a consumer, after everything is committed: that is no
    /// failure of the hub.
    var exitCode: Int32? {
        if names.isEmpty { return nil }
        return names == ["intake"] ? 0 : CommandFailure.Kind.failed.rawValue
    }
}

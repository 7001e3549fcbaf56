import Auth
import BusEngines
package import Configuration
import Curl
import Intake
import KeySource
import Linux
package import Logging
import Store
package import Telemetry

/// The values that the parts of a hub get from its configuration. `Server` reads nothing else of the configuration, so that a test can
/// check at this one point that each setting has its effect (`Tests/HubTests/SettingEffects.swift`).
struct PartSettings {
    var listen: ListenEndpoint
    /// nil: `/metrics` is answered at `listen`.
    var metricsListen: ListenEndpoint?
    /// The number of event loops.
    var loops: Int
    var loop: LoopThread.Settings
    var store: StoreConfiguration
    /// nil: hubs on this database hear of each other through the database alone.
    var engine: EngineSettings?
    var keys: KeySettings
    /// The file with the keys of a gateway that signs contexts; nil: there is no such gateway.
    var contextKeys: String?
    var intake: IntakeConfiguration
    var demo: DemoSettings
    var drain: Configuration.Drain

    /// - Throws: a setting has a value that its part refuses.
    init(_ configuration: Configuration, processors: Int) throws(ServerFailure) {
        listen = configuration.listen
        metricsListen = configuration.metrics.listen
        loops = configuration.loops.number(processors: processors)
        loop = LoopThread.Settings(configuration, loops: loops)
        store = StoreConfiguration(configuration)
        do throws(EngineSettings.Failure) {
            engine = try EngineSettings(configuration)
        } catch {
            throw ServerFailure("preparing the bus", "\(error)")
        }
        keys = KeySettings(configuration.auth)
        contextKeys = configuration.auth.contextKeys
        intake = IntakeConfiguration(
            configuration.kafka, configuration.rules, configuration.source, member: configuration.kafkaMember)
        demo = DemoSettings(configuration.kafka)
        drain = configuration.drain
    }
}

/// Where the keys come from, and how they are fetched.
struct KeySettings {
    var location: KeyLocation
    var rules: JWKSSource.Settings
    var limits: FetchLimits

    init(_ auth: Configuration.Auth) {
        location = KeyLocation(auth.jwks ?? "")
        rules = location.settings(refreshInterval: auth.refetchAfter)
        limits = location.limits(overPlainHTTP: auth.jwksOverPlainHTTP)
    }
}

/// Where the demo page's publish button writes.
struct DemoSettings {
    var brokers: String
    var topic: String

    init(_ kafka: Configuration.Kafka) {
        brokers = kafka.brokers.joined(separator: ",")
        topic = kafka.topics.first ?? "hub.events"
    }
}

/// The log of the process, which begins before its parts.
package struct LogSettings {
    package let level: Logger.Level
    package let format: LineLog.Format

    package init(_ log: Configuration.Log) {
        level = Logger.Level(rawValue: log.level) ?? .info
        format = LineLog.Format(rawValue: log.format) ?? .logfmt
    }
}

extension StoreConfiguration {
    init(_ configuration: Configuration) {
        self.init(address: configuration.database.url ?? "")
        capacity = configuration.database.waitingOrders
        ordersOfUser = configuration.database.waitingOrdersOfUser
        isShared = configuration.bus != "memory"
        rings = configuration.bus == "postgres"
        busName = configuration.bus
        nodeName = configuration.nodeName(port: configuration.listen.port)
        version = Version.hub
        retention.notifications = configuration.retention.notifications
        retention.messages = configuration.retention.messages
        retention.system = configuration.retention.system
        connectDeadline = configuration.database.connectWithin
        statementTimeout = configuration.database.statementWithin
        answerDeadline = configuration.database.statementWithin + .seconds(5)
    }
}

extension Configuration.Loops {
    func number(processors: Int) -> Int { count > 0 ? count : processors }
}

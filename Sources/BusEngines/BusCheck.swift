import Bus
import Linux
import Logging

/// For `hub check`: whether a message that is sent over the bus comes back.
package enum BusCheck {
    package enum Finding: Equatable, Sendable {
        case heard
        /// The topic is not there yet, and the hub may make it.
        case willBeMade
        case failed(String)
    }

    /// Blocks for at most about `limit`, and with Kafka twice as long.
    package static func run(_ settings: EngineSettings, within limit: Duration) -> Finding {
        if case .kafka(let kafka) = settings {
            switch BusTopic(kafka).state(isRehearsal: true, within: limit / 2) {
            case .there(partitions: 0): return .willBeMade
            case .there: break
            case .failed(let reason): return .failed(reason)
            }
        }
        do throws(SystemError) {
            let bus = try EngineBus(settings, log: Logger(label: "check") { _ in SwiftLogNoOpLogHandler() })
            // Without an epoch no hub takes the message for its own.
            try bus.start(EngineBus.Surroundings(epoch: { nil }, hasOthers: { false }, look: {}))
            let end = MonotonicInstant.now + limit
            while bus.health != .up, MonotonicInstant.now < end { Thread.pause(.milliseconds(10)) }
            defer { _ = bus.stop(within: .seconds(1)) }
            switch bus.health {
            case .up: return .heard
            case .degraded(let reason): return .failed(reason)
            }
        } catch {
            return .failed("\(error)")
        }
    }
}

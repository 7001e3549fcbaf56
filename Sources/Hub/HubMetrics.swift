import Intake
import KeySource
import Sessions
import Store
import Telemetry

/// All metrics of the hub, composed of the groups of its parts.
final class HubMetrics: Sendable {
    let serving = ServingMetrics()
    let intake = IntakeMetrics()
    let keys = KeyMetrics()
    /// The instruments in the order of the output.
    let instruments: [any Instrument]

    init(health: Health, store: StoreStatistics, log: LogMetrics = LogMetrics()) {
        let groups: [any MetricsGroup] = [ProcessMetrics(), log, HealthMetrics(health), serving, store, intake, keys]
        instruments = groups.flatMap(\.instruments)
    }

    /// The metrics in Prometheus' text format.
    func text() -> String { MetricsText(instruments).text }
}

/// The availability of the parts on which the hub depends.
private final class HealthMetrics: MetricsGroup {
    let up: Reading

    init(_ health: Health) {
        up = Reading("hub_up", "1 while a part that the hub depends on is available, else 0.", labels: ["part"]) {
            Health.Part.allCases.map { (["\($0)"], health.isUp($0) ? 1 : 0) }
        }
    }
}

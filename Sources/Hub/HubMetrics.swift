import Intake
import KeySource
import Sessions
import Store
import Telemetry

/// All metrics of the hub: the groups of its parts, one after the other.
final class HubMetrics: Sendable {
    let serving = ServingMetrics()
    let intake = IntakeMetrics()
    let keys = KeyMetrics()
    /// In the order in which they are published.
    let instruments: [any Instrument]

    init(health: Health, store: StoreStatistics) {
        let groups: [any MetricsGroup] = [ProcessMetrics(), HealthMetrics(health), serving, store, intake, keys]
        instruments = groups.flatMap(\.instruments)
    }

    /// In Prometheus' text format.
    func text() -> String { MetricsText(instruments).text }
}

/// Whether the parts that the hub depends on are there.
private final class HealthMetrics: MetricsGroup {
    let up: Reading

    init(_ health: Health) {
        up = Reading("hub_up", "1 while a part that the hub depends on is there, else 0.", labels: ["part"]) {
            Health.Part.allCases.map { (["\($0)"], health.isUp($0) ? 1 : 0) }
        }
    }
}

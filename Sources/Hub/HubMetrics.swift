import BusEngines
import Intake
import KeySource
import Linux
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

    init(health: Health, store: StoreStatistics, bus: BusStatistics = BusStatistics(), log: LogMetrics = LogMetrics()) {
        let groups: [any MetricsGroup] = [ProcessMetrics(), log, HealthMetrics(health), serving, store, bus, intake, keys]
        instruments = groups.flatMap(\.instruments)
    }

    /// The metrics in Prometheus' text format.
    func text() -> String { MetricsText(instruments).text }
}

/// The availability of the parts on which the hub depends.
private final class HealthMetrics: MetricsGroup {
    let up: Reading
    let threadSilence: Reading

    init(_ health: Health) {
        up = Reading("hub_up", "1 while a part that the hub depends on is available, else 0.", labels: ["part"]) {
            Health.Part.allCases.map { (["\($0)"], health.isUp($0) ? 1 : 0) }
        }
        threadSilence = Reading(
            "hub_thread_silence_seconds", "Time since a thread last showed that it runs; about 1 at most while it does.", labels: ["thread"]
        ) { health.threads.silences.map { ([$0.name], Double($0.silence.wholeNanoseconds / 1_000_000) / 1_000) } }
    }
}

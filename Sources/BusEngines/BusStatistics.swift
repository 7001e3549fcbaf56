package import Telemetry

/// Metrics of the bus's engine. The thread of the bus and the threads that publish write them; any thread reads them.
package final class BusStatistics: MetricsGroup {
    package let up = Gauge("hub_bus_up", "1 while this hub hears its own messages come back over the bus (kafka, redis), else 0.")
    package let lag = DurationHistogram(
        "hub_bus_round_trip_seconds", "Time from sending a ping over the bus until it came back to this hub (kafka, redis).")
    package let sent = Counter("hub_bus_sent_total", "Messages handed to the bus (kafka, redis).")
    package let received = Counter("hub_bus_received_total", "Messages of other hubs that came over the bus (kafka, redis).")
    package let dropped = Counter(
        "hub_bus_dropped_total", "Messages or batches that did not go over the bus. Other hubs find their entries in the database.")
    package let gaps = Counter(
        "hub_bus_gaps_total", "Messages of other hubs that were missing in the order of a sender. Their entries are read from the database."
    )
    package let refused = Counter(
        "hub_bus_refused_total", "Messages on the bus that belong to another database, or that this hub cannot read.")
    package let restarts = Counter("hub_bus_restarts_total", "Times that the connections to the bus were made anew.")
    package init() {}
}

package import Telemetry

/// What the event loops count. All loops share one set: adding to a counter is one relaxed atomic addition.
/// More than twelve stored properties: one for each metric.
package final class ServingMetrics: MetricsGroup {
    package let sockets: Reading
    package let socketsOpened = Counter("hub_sockets_opened_total", "WebSocket connections opened.")
    package let socketsClosed = Counter("hub_sockets_closed_total", "WebSocket connections that have ended.")
    package let messagesIn = Counter("hub_messages_received_total", "WebSocket messages received from clients.")
    package let commands = Counter("hub_commands_total", "Commands received from clients.")
    package let refusals = LabelledCounter("hub_commands_refused_total", "Commands answered with an error, by code.", label: "code")
    package let rateLimited = LabelledCounter(
        "hub_rate_limited_total", "Commands refused because their user sent too many in too short a time, by what was too much.",
        label: "what")
    package let draining = Gauge("hub_draining", "1 while the hub takes no new sessions, because it is drained or stopped.")
    package let deliveries = Counter("hub_deliveries_total", "Entries pushed to sessions directly after their commit.")
    package let replayed = Counter("hub_replayed_total", "Entries pushed to sessions from the store.")
    package let readForAll = Counter(
        "hub_read_for_all_total", "Entries that another hub stored, read once for all sessions of a loop.")
    package let gaps = Counter("hub_gaps_total", "Times a session fell behind and read entries from the store.")
    package let activityDropped = Counter(
        "hub_activity_dropped_total", "Activities of conversations that were not told, because too many were waiting.")
    package let resynchronisations = Counter("hub_resynchronisations_total", "Times an event loop missed bus events.")
    package let storeFull = Counter("hub_store_full_total", "Batches of orders that the store refused because too many were waiting.")
    package let tokensAccepted = Counter("hub_tokens_accepted_total", "Verified tokens.")
    package let tokensRejected = LabelledCounter("hub_tokens_rejected_total", "Refused tokens, by reason.", label: "reason")
    package let tickets = LabelledCounter("hub_tickets_total", "One-time tickets, by what became of them.", label: "outcome")
    package let notices = LabelledCounter(
        "hub_security_events_total", "Logout tokens and security event tokens received, by outcome.", label: "outcome")
    package let fenced = Counter("hub_sessions_fenced_total", "Sessions ended because a login ended or rights changed.")
    package let requests = Counter("hub_http_requests_total", "HTTP requests other than upgrades.")
    package let requestsRefused = LabelledCounter("hub_http_requests_refused_total", "Malformed requests, by status.", label: "status")
    package let upgradesRefused = LabelledCounter("hub_upgrades_refused_total", "Refused WebSocket handshakes, by reason.", label: "reason")
    package let connectionsSpared = Counter(
        "hub_connections_spared_total", "Connections without a session closed to make room for new ones at limits.connections.")
    package let connectionsOverLimit = Counter(
        "hub_connections_over_limit_total", "Requests on connections beyond limits.connections; all but those about health are refused.")
    package let headTimeouts = Counter("hub_head_timeouts_total", "Connections closed because a request head was not complete in time.")
    package let dwellTimeouts = Counter("hub_connect_timeouts_total", "Connections closed because connect did not succeed in time.")
    package let idleTimeouts = Counter("hub_idle_timeouts_total", "Sessions ended because their user was idle.")
    package let addressRefusals = Counter(
        "hub_address_refusals_total", "Connections refused because their address had as many as it may.")
    package let handovers = Counter(
        "hub_connections_handed_over_total", "Connections moved to the event loop of the session that their request names.")
    package let streams: Reading
    package let streamsOpened = Counter("hub_event_streams_opened_total", "Event streams opened.")
    package let streamsClosed = Counter("hub_event_streams_closed_total", "Event streams that have ended.")
    package let polls = Counter("hub_polls_total", "Polls of existing sessions.")
    package let pongTimeouts = Counter("hub_pong_timeouts_total", "Connections closed because the client did not answer a ping.")
    package let slowConsumers = Counter("hub_slow_consumers_total", "Connections and sessions ended because their client did not read.")
    package let compressions = Counter("hub_compressions_total", "Frames compressed.")
    package let uncompressed = Counter(
        "hub_compressions_skipped_total", "Frames sent uncompressed because the turn had compressed enough.")
    package let loopsTogether = Gauge("hub_io_uring_loops", "Event loops that send to many sockets in one system call.")
    package let closes = LabelledCounter("hub_closes_total", "Connections closed by the hub, by reason.", label: "reason")
    package let violations = LabelledCounter(
        "hub_protocol_violations_total", "Connections failed because of a protocol violation, by violation.", label: "violation")

    package init() {
        sockets = Self.open("hub_sockets", "Open WebSocket connections.", socketsOpened, socketsClosed)
        streams = Self.open("hub_event_streams", "Open event streams.", streamsOpened, streamsClosed)
    }

    /// How many of the opened are not closed.
    private static func open(_ name: String, _ help: String, _ opened: Counter, _ closed: Counter) -> Reading {
        Reading(name, help) { Double(opened.value) - Double(closed.value) }
    }
}

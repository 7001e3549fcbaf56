import Linux
package import Logging
package import Reactor
import Sessions
import Telemetry

/// Finds the connections that nobody misses when a loop has as many as it may: those without a session, the oldest first. So whoever opens
/// connections and does nothing with them only displaces his own.
final class SpareConnections {
    /// Looking for them costs time for each connection, so the result is used up before the next search, and a search comes at most this often
    /// for each connection: about a tenth of the loop's time.
    private static let searchEvery: Duration = .microseconds(1)

    private unowned let loop: EventLoop
    private let metrics: ServingMetrics
    private let report: FullReport?
    /// The oldest last.
    private var found: [ConnectionID] = []
    private var nextSearch: MonotonicInstant?

    init(loop: EventLoop, metrics: ServingMetrics, report: FullReport?) {
        self.loop = loop
        self.metrics = metrics
        self.report = report
    }

    /// The connection to be closed for a new one; nil when all have sessions.
    func next(of server: HTTPServer) -> ConnectionID? {
        while true {
            while let id = found.popLast() {
                guard server.isAnonymous(slot: Int(id.slot))?.id == id else { continue }
                metrics.connectionsSpared.add()
                report?.spared()
                return id
            }
            if let nextSearch, loop.now < nextSearch { return nil }
            nextSearch = loop.now + Self.searchEvery * server.connections.count
            let all = server.connections.indices.compactMap { server.isAnonymous(slot: $0) }
            if all.isEmpty { return nil }
            found = all.sorted { $0.since > $1.since }.map(\.id)
        }
    }

    /// A request on a connection of the reserve.
    func refused() {
        metrics.connectionsOverLimit.add()
        report?.refused()
    }
}

/// A connection without a session, and since when it is open.
package struct AnonymousConnection {
    let id: ConnectionID
    let since: MonotonicInstant
}

extension HTTPServer {
    /// Whether a connection of the reserve still has no place among the others. One that uses it displaces an idle one.
    func hasNoPlace(_ connection: HTTPConnection) -> Bool {
        guard connection.isOfReserve else { return false }
        connection.isOfReserve = !table.makeRoom(for: connection.id)
        return connection.isOfReserve
    }

    /// Nil for a connection that a handler or a session uses, and for an unused slot.
    func isAnonymous(slot: Int) -> AnonymousConnection? {
        guard slot < connections.count else { return nil }
        guard let connection = connections[slot] else { return upgrades?.isAnonymous(slot: slot) }
        switch connection.stage {
        case .reading, .closing: return AnonymousConnection(id: connection.id, since: connection.openedAt)
        case .waiting, .streaming: return nil
        }
    }
}

/// Logs that a loop has as many connections as it may, at most once a minute for each loop.
package final class FullReport {
    private static let interval: Duration = .seconds(60)

    private unowned let loop: EventLoop
    private let log: Logger
    private var sparedCount = 0
    private var refusedCount = 0
    private var reported: MonotonicInstant?

    package init(loop: EventLoop, log: Logger) {
        self.loop = loop
        self.log = log
    }

    func spared() {
        sparedCount += 1
        report()
    }

    func refused() {
        refusedCount += 1
        report()
    }

    private func report() {
        if let reported, loop.now - reported < Self.interval { return }
        log.warning(
            "as many connections are open as may be",
            metadata: [
                "closed_without_session": "\(sparedCount)", "refused": "\(refusedCount)", "setting": "limits.connections",
            ])
        reported = loop.now
        sparedCount = 0
        refusedCount = 0
    }
}

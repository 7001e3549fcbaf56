import Configuration
import HTTP
import Linux
import Reactor
import Sessions
import Transports

/// Answers `/metrics` and questions about health at an address of their own, on a thread of its own: the loops that serve clients then
/// never write metrics, and clients cannot ask for them.
final class MetricsServer {
    static let threadName = "metrics"
    /// Some scrapers and probes, and a few curious people.
    private static let mostConnections = 64

    let address: ListenEndpoint
    let heartbeat: Heartbeat
    private let handle: LoopHandle
    private let thread: Thread

    init(_ endpoint: ListenEndpoint, routes: any HTTPRoutes, limits: ServingLimits) throws(ServerFailure) {
        do throws(SystemError) {
            let listener = try Socket.listen(host: endpoint.host, port: endpoint.port, reusePort: false)
            address = ListenEndpoint(host: endpoint.host, port: try Socket.localPort(listener))
            let loop = try EventLoop(name: Self.threadName)
            handle = loop.handle
            heartbeat = loop.handle.heartbeat
            var limits = limits
            limits.connections.maximum = Self.mostConnections
            limits.connections.sendsTogether = false
            let settings = limits
            let listening = ListenReport()
            thread = try Thread.spawn(name: Self.threadName) {
                // Its requests are not those of clients, so they are counted apart and not published.
                let server = HTTPServer(loop: loop, limits: settings, routes: routes, metrics: ServingMetrics())
                do throws(SystemError) { try server.table.listen(on: listener) } catch {
                    loop.letGo()
                    return listening.report(.failure(error))
                }
                listening.report(.success(()))
                loop.run()
                server.detach()
                withExtendedLifetime(server) {}
            }
            try listening.wait()
        } catch {
            throw ServerFailure("listening on \(endpoint) for metrics", "\(error)")
        }
    }

    /// - Returns: false when the thread has not ended within `limit`.
    func stop(within limit: Duration) -> Bool {
        handle.stop()
        return thread.join(within: limit)
    }
}

package import Configuration
import HTTP
import Linux
package import Logging
import Reactor
import Sessions
import Transports
import WSProtocol

/// `hub echo`: sends every message back to its sender, with the hub's own connection code.
package final class EchoServer {
    package let address: ListenEndpoint
    private let handles: [LoopHandle]
    private let threads: [Thread]

    package init(_ configuration: Configuration, messageBytes: Int, log: Logger) throws(ServerFailure) {
        let count = configuration.loops.number(processors: Machine.processors)
        var limits = ServingLimits(configuration, loops: count)
        limits.socket = WebSocketLimits(
            messageBytes: messageBytes, compressionThresholdBytes: configuration.websocket.deflate.minimumBytes)
        limits.connections.highWatermarkBytes = max(limits.connections.highWatermarkBytes, messageBytes)
        limits.connections.backlogBytes = max(limits.connections.backlogBytes, messageBytes * 4)
        let settings = limits
        let handshake = HandshakePolicy(configuration.websocket)
        let metrics = ServingMetrics()
        do throws(SystemError) {
            try Socket.requireFree(host: configuration.listen.host, port: configuration.listen.port)
            let first = try Socket.listen(host: configuration.listen.host, port: configuration.listen.port, reusePort: true)
            let port = try Socket.localPort(first)
            address = ListenEndpoint(host: configuration.listen.host, port: port)
            var handles: [LoopHandle] = []
            var threads: [Thread] = []
            var reports: [ListenReport] = []
            for index in 0..<count {
                let listener = index == 0 ? first : try Socket.listen(host: address.host, port: port, reusePort: true)
                let loop = try EventLoop(name: "echo-\(index)")
                handles.append(loop.handle)
                let listening = ListenReport()
                reports.append(listening)
                threads.append(
                    try Thread.spawn(name: loop.name) {
                        let server = HTTPServer(loop: loop, limits: settings, routes: NoRoutes(), metrics: metrics)
                        let sockets = WebSocketServer(server)
                        let echo = EchoApplication(server: sockets, handshake: handshake)
                        sockets.serve(echo)
                        server.setUpgradeHandler(sockets)
                        do throws(SystemError) { try server.table.listen(on: listener) } catch {
                            loop.letGo()
                            return listening.report(.failure(error))
                        }
                        listening.report(.success(()))
                        loop.run()
                        server.detach()
                        sockets.detach()
                        withExtendedLifetime((server, sockets, echo)) {}
                    })
            }
            for report in reports { try report.wait() }
            self.handles = handles
            self.threads = threads
        } catch {
            throw ServerFailure("echo on \(configuration.listen)", "\(error)")
        }
    }

    package func stop() {
        for handle in handles { handle.stop() }
        for thread in threads { thread.join() }
    }
}

private final class NoRoutes: HTTPRoutes {
    func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse {
        HTTPResponse(status: 404, text: "an echo server: connect with a WebSocket")
    }
}

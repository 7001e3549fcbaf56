import HTTP
import Linux
import Messaging
import Reactor
import Sessions
import Telemetry

/// Connections that leave HTTP or this loop, and those that come from another.
extension HTTPServer {
    /// The connection becomes the upgrade handler's, unless it refuses.
    func upgrade(
        _ connection: HTTPConnection, _ receiving: HTTPReceiving, _ request: HTTPRequest, _ handler: any UpgradeHandler
    ) {
        guard !hasNoPlace(connection) else {
            spares.refused()
            metrics.upgradesRefused.add("full")
            return send(connection, Self.full, .close, isHeadOnly: request.method == .head)
        }
        let rest = Array(receiving.buffer.dropFirst(receiving.headBytes))
        connections[Int(connection.id.slot)] = nil
        if let refusal = handler.upgrade(request, connection.id) {
            connections[Int(connection.id.slot)] = connection
            return send(connection, refusal, .close, isHeadOnly: request.method == .head)
        }
        if connection.exceedsAddress {
            metrics.addressRefusals.add()
            return handler.end(connection.id, .connectionLimit)
        }
        guard !rest.isEmpty else { return }
        var bytes = rest
        var span = bytes.mutableSpan
        handler.received(connection.id, &span)
    }

    private static let full: HTTPResponse = {
        var refusal = HTTPResponse(status: 503, text: "this hub has as many connections as it may")
        refusal.headers.append("retry-after", "1")
        return refusal
    }()

    /// Another loop must answer the request.
    func handOver(_ connection: HTTPConnection, _ receiving: HTTPReceiving, to loop: Int) {
        guard arrivals.indices.contains(loop), arrivals[loop].count < arrivals[loop].capacity,
            let (fd, unsent) = table.detach(connection.id)
        else {
            let refusal = receiving.request.flatMap { connection.handler?.response(to: $0, refusedFor: .busy) }
            connection.receiving = nil
            // The bytes received behind the request's head are dropped, so the next bytes may be the middle of a request.
            connection.persistence = .close
            return finish(connection, refusal ?? HTTPResponse(status: 503))
        }
        connections[Int(connection.id.slot)] = nil
        addresses.closed(slot: Int(connection.id.slot))
        metrics.handovers.add()
        let handed = HandedConnection(fd: fd, peer: connection.peer, unsent: unsent, received: receiving.buffer)
        // Another loop may have taken the last room in between.
        if !arrivals[loop].post(handed) { Socket.close(fd) }
    }

    /// A connection from another loop.
    func take(_ handed: HandedConnection) {
        let isOneTooMany = !table.makeRoom()
        guard let id = table.adopt(handed.fd, peer: handed.peer) else { return }
        connection(id)?.isOneTooMany = isOneTooMany
        connection(id)?.isOfReserve = false
        if !handed.unsent.isEmpty { table.send(id, bytes: handed.unsent) }
        var bytes = handed.received
        var span = bytes.mutableSpan
        received(id, &span)
    }
}

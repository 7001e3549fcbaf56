import Bytes
package import HTTP
package import Linux
package import Reactor
package import Sessions
import Telemetry

/// The HTTP connections of one event loop, from accept to close or upgrade.
///
/// Requests of one connection are answered in order, one in a turn, so that a client that sends many ahead does not hold up others. A
/// connection that has left HTTP belongs to the upgrade's handler, which then gets its events.
///
/// More than twelve stored properties: besides its collaborators it keeps the connections, what is queued for the next turn, and the date.
package final class HTTPServer: ConnectionDriver {
    package let loop: EventLoop
    package let limits: ServingLimits
    package let metrics: ServingMetrics
    package private(set) lazy var table = ConnectionTable(loop: loop, limits: limits.connections, driver: self)
    private let routes: any HTTPRoutes
    private var handlers: [String: any HTTPHandler] = [:]
    private(set) var upgrades: (any UpgradeHandler)?
    /// By slot; nil for connections that have left HTTP.
    var connections: ContiguousArray<HTTPConnection?> = []
    let spares: SpareConnections
    /// Connections with more requests than were answered in the last turn.
    private var queued: [ConnectionID] = []
    /// Where connections are handed to, by the number of the loop; this loop's own among them.
    private(set) var arrivals: [Mailbox<HandedConnection>] = []
    var addresses: AddressCounts
    private var datedSecond: Int64 = -1
    private var dateOfSecond = HTTPDate(seconds: 0)

    package init(loop: EventLoop, limits: ServingLimits, routes: any HTTPRoutes, metrics: ServingMetrics, full: FullReport? = nil) {
        self.loop = loop
        spares = SpareConnections(loop: loop, metrics: metrics, report: full)
        self.limits = limits
        self.routes = routes
        self.metrics = metrics
        addresses = AddressCounts(most: limits.connectionsPerAddress)
    }

    /// - Parameter handler: answers all requests for this path.
    package func add(_ handler: any HTTPHandler, at path: String) { handlers[path] = handler }

    package func setUpgradeHandler(_ handler: any UpgradeHandler) { upgrades = handler }

    /// - Parameters:
    ///   - loops: where connections are handed to, by loop number.
    ///   - own: this loop's number.
    package func exchangeConnections(with loops: [Mailbox<HandedConnection>], own: Int) {
        arrivals = loops
        guard loops.indices.contains(own) else { return }
        loop.receive(from: loops[own]) { [unowned self] batch in
            for connection in batch { take(connection) }
        }
    }

    /// Once the loop has stopped: handlers and server let go of each other.
    package func detach() {
        handlers = [:]
        upgrades = nil
    }

    func connection(_ id: ConnectionID) -> HTTPConnection? {
        let slot = Int(id.slot)
        guard slot < connections.count, let connection = connections[slot], connection.id == id else { return nil }
        return connection
    }

    /// For the responses of this second.
    private func date() -> HTTPDate {
        let second = WallClock.now() / 1_000
        if second != datedSecond {
            datedSecond = second
            dateOfSecond = HTTPDate(seconds: second)
        }
        return dateOfSecond
    }

    // MARK: ConnectionDriver

    package func opened(_ id: ConnectionID, peer: PeerAddress) {
        let slot = Int(id.slot)
        while connections.count <= slot { connections.append(nil) }
        let connection = HTTPConnection(id: id, peer: peer, now: loop.now)
        connection.isOfReserve = table.isOverMaximum
        connection.receiving = HTTPReceiving(limits: limits.http)
        // The first request gets the same deadline as later ones.
        connection.receiving?.isTimed = true
        connection.until = loop.now + limits.headTimeout
        connection.exceedsAddress = !addresses.opened(peer, slot: slot)
        connections[slot] = connection
        arm(connection)
    }

    package func spare() -> ConnectionID? { spares.next(of: self) }

    package func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {
        guard let connection = connection(id) else {
            upgrades?.received(id, &bytes)
            return
        }
        guard connection.stage != .closing else { return }
        let receiving = connection.receiving ?? HTTPReceiving(limits: limits.http)
        connection.receiving = receiving
        receiving.buffer.append(copying: bytes.span)
        switch connection.stage {
        case .reading: serve(connection)
        case .waiting, .streaming:
            // Requests behind one that is not answered yet; beyond this the rest waits in the socket.
            if receiving.buffer.count >= limits.http.headBytes { table.pauseReading(id) }
        case .closing: break
        }
    }

    package func peerClosed(_ id: ConnectionID) {
        guard let connection = connection(id) else {
            upgrades?.peerClosed(id)
            return
        }
        switch connection.stage {
        case .waiting, .streaming:
            connection.persistence = .close
            connection.handler?.peerEnded(id)
        case .reading, .closing: table.close(id, .afterFlush)
        }
    }

    package func drained(_ id: ConnectionID) {
        guard let connection = connection(id) else {
            upgrades?.drained(id)
            return
        }
        switch connection.stage {
        case .reading:
            table.resumeReading(id)
            serve(connection)
        case .streaming: connection.handler?.drained(id)
        case .waiting, .closing: return
        }
    }

    package func closed(_ id: ConnectionID, _ cause: CloseCause) {
        if case .overflow = cause { metrics.slowConsumers.add() }
        addresses.closed(slot: Int(id.slot))
        guard let connection = connection(id) else {
            upgrades?.closed(id, cause)
            return
        }
        connections[Int(id.slot)] = nil
        connection.handler?.closed(id)
    }

    package func deadline(_ id: ConnectionID) {
        guard let connection = connection(id) else {
            upgrades?.deadline(id)
            return
        }
        switch connection.stage {
        case .waiting, .streaming: connection.handler?.deadline(id)
        case .closing: loop.now >= connection.until ? table.close(id, .now) : arm(connection)
        case .reading:
            guard loop.now >= connection.until else { return arm(connection) }
            metrics.headTimeouts.add()
            if connection.receiving?.buffer.isEmpty == false {
                send(connection, HTTPResponse(status: 408, text: "the request head took too long"), .close)
            } else {
                table.close(id, .now)
            }
        }
    }

    private func arm(_ connection: HTTPConnection) {
        let wait = connection.until == HTTPConnection.never ? nil : max(.milliseconds(1), connection.until - loop.now)
        table.setDeadline(connection.id, after: wait)
    }

    // MARK: Requests

    /// Answers the first request that is whole, if the client takes answers; the next one's turn comes with the loop's next turn.
    private func serve(_ connection: HTTPConnection) {
        guard connection.stage == .reading else { return }
        guard connection.servedAt != loop.now else { return serveSoon(connection) }
        if table.isCongested(connection.id) { return table.pauseReading(connection.id) }
        guard let receiving = connection.receiving, !receiving.buffer.isEmpty || receiving.request != nil else { return }
        if receiving.request == nil, !parseHead(connection, receiving) { return }
        guard let request = receiving.request else { return }
        if let upgrades, upgrades.claims(request) { return upgrade(connection, receiving, request, upgrades) }
        let whole = receiving.headBytes + request.contentLength
        guard receiving.buffer.count >= whole else { return limitRequest(connection, receiving) }
        connection.servedAt = loop.now
        answer(connection, receiving, request, bytes: whole)
        if connection.stage == .reading, connection.receiving?.buffer.isEmpty == false { serveSoon(connection) }
    }

    /// True when a head is whole and can be answered.
    private func parseHead(_ connection: HTTPConnection, _ receiving: HTTPReceiving) -> Bool {
        switch receiving.parser.parse(receiving.buffer.span) {
        case .incomplete:
            limitRequest(connection, receiving)
            return false
        case .rejected(let rejection):
            metrics.requestsRefused.add("\(rejection.status)")
            send(connection, rejection.response, .close)
            return false
        case .request(let request, let headBytes):
            guard request.contentLength <= limits.bodyBytes else {
                let refusal = handlers[request.path]?.response(to: request, refusedFor: .bodyTooLarge(mostBytes: limits.bodyBytes))
                metrics.requestsRefused.add("413")
                send(connection, refusal ?? HTTPRejection.bodyTooLarge.response, .close)
                return false
            }
            receiving.request = request
            receiving.headBytes = headBytes
            // RFC 9110 §10.1.1: not when the body has begun to arrive.
            if request.expectsContinue, receiving.buffer.count == headBytes, upgrades?.claims(request) != true {
                table.send(connection.id, bytes: HTTPResponse.goOn)
            }
            return true
        }
    }

    /// A request has begun and is not whole: from now on it has a deadline.
    private func limitRequest(_ connection: HTTPConnection, _ receiving: HTTPReceiving) {
        guard !receiving.isTimed else { return }
        receiving.isTimed = true
        connection.until = loop.now + limits.headTimeout
        arm(connection)
    }

    private func answer(_ connection: HTTPConnection, _ receiving: HTTPReceiving, _ request: HTTPRequest, bytes whole: Int) {
        let body = Array(receiving.buffer[receiving.headBytes..<whole])
        metrics.requests.add()
        connection.persistence = HTTPResponse.Persistence(request)
        connection.isHeadOnly = request.method == .head
        connection.takesChunks = request.takesChunks
        let handler = handlers[request.path]
        if connection.exceedsAddress {
            metrics.addressRefusals.add()
            connection.persistence = .close
            return finish(connection, handler?.response(to: request, refusedFor: .tooManyOfAddress) ?? HTTPResponse(status: 429))
        }
        if connection.isOneTooMany {
            connection.persistence = .close
            return finish(connection, handler?.response(to: request, refusedFor: .busy) ?? HTTPResponse(status: 503))
        }
        if connection.isOfReserve, handler == nil || hasNoPlace(connection) {
            connection.persistence = .close
            spares.refused()
            return finish(connection, handler.map { $0.response(to: request, refusedFor: .busy) } ?? routes.answer(request, body))
        }
        var answer = HTTPAnswer.later
        if let handler {
            connection.stage = .waiting
            connection.handler = handler
            connection.until = HTTPConnection.never
            arm(connection)
            answer = handler.answer(request, body, connection.id)
        } else {
            answer = .now(routes.answer(request, body))
        }
        if case .elsewhere(let loop) = answer { return handOver(connection, receiving, to: loop) }
        let rest = Array(receiving.buffer.dropFirst(whole))
        connection.receiving = rest.isEmpty ? nil : HTTPReceiving(limits: limits.http, buffer: rest)
        if case .now(let response) = answer { finish(connection, response) }
    }

    /// One request of each connection in a turn.
    private func serveSoon(_ connection: HTTPConnection) {
        guard !connection.isQueued else { return }
        connection.isQueued = true
        queued.append(connection.id)
        guard queued.count == 1 else { return }
        loop.slice { [unowned self] in
            let ids = queued
            queued = []
            for id in ids {
                guard let connection = self.connection(id) else { continue }
                connection.isQueued = false
                serve(connection)
            }
            // Those that are queued anew have begun another slice.
            return false
        }
    }

    // MARK: Answers

    /// Gives the answer that a handler owes.
    package func respond(_ id: ConnectionID, _ response: HTTPResponse) {
        guard let connection = connection(id), connection.stage == .waiting else { return }
        finish(connection, response)
        if connection.stage == .reading, connection.receiving?.buffer.isEmpty == false { serveSoon(connection) }
    }

    func finish(_ connection: HTTPConnection, _ response: HTTPResponse) {
        if connection.stage == .waiting { table.resumeReading(connection.id) }
        connection.handler = nil
        connection.stage = .reading
        send(connection, response, connection.persistence, isHeadOnly: connection.isHeadOnly)
    }

    func send(
        _ connection: HTTPConnection, _ response: HTTPResponse, _ persistence: HTTPResponse.Persistence, isHeadOnly: Bool = false
    ) {
        var bytes: [UInt8] = []
        response.serialize(into: &bytes, persistence, headOnly: isHeadOnly, date: date())
        table.send(connection.id, bytes: bytes)
        if persistence == .close { return close(connection) }
        connection.until = loop.now + limits.keepAliveTimeout
        arm(connection)
    }

    private func close(_ connection: HTTPConnection) {
        connection.stage = .closing
        connection.handler = nil
        connection.until = loop.now + limits.closeTimeout
        arm(connection)
        table.close(connection.id, .afterFlush)
    }

    // MARK: Streams

    /// Begins the answer that a handler owes with a body that has no end yet. The handler then sends its pieces with `table.send`.
    /// - Returns: whether the pieces must be written as chunks; nil when the connection is gone.
    package func beginStream(_ id: ConnectionID, _ head: HTTPResponse) -> Bool? {
        guard let connection = connection(id), connection.stage == .waiting else { return nil }
        connection.stage = .streaming
        var bytes: [UInt8] = []
        head.serializeStreamHead(into: &bytes, isChunked: connection.takesChunks, date: date())
        table.send(id, bytes: bytes)
        if !connection.takesChunks { connection.persistence = .close }
        return connection.takesChunks
    }

    /// Ends the body of a stream.
    package func endStream(_ id: ConnectionID) {
        guard let connection = connection(id), connection.stage == .streaming else { return }
        if connection.takesChunks { table.send(id, bytes: HTTPResponse.lastChunk) }
        if connection.persistence == .close { return close(connection) }
        connection.handler = nil
        connection.stage = .reading
        connection.until = loop.now + limits.keepAliveTimeout
        arm(connection)
        table.resumeReading(id)
        if connection.receiving?.buffer.isEmpty == false { serveSoon(connection) }
    }

    /// Sets the deadline of an unanswered request or a stream.
    package func setDeadline(_ id: ConnectionID, after delay: Duration?) {
        guard let connection = connection(id), connection.stage == .waiting || connection.stage == .streaming else { return }
        table.setDeadline(id, after: delay)
    }
}

import HTTP
import Linux
import Logging
import Messaging
import Reactor
import WSProtocol
import Zlib

/// The connections of one event loop, from accept to close: HTTP heads, the upgrade, frames, liveness, closing.
///
/// Owns the endpoints of its `ConnectionTable`; an endpoint lives exactly as long as its connection.
final class ServingLoop: ConnectionDriver {
    let loop: EventLoop
    let limits: ServingLimits
    let metrics: ServingMetrics
    let log: Logger
    private(set) var table: ConnectionTable!
    var application: (any SocketApplication)!
    let routes: any HTTPRoutes
    /// Indexed by slot; the generation inside the id tells a reused slot apart.
    private var endpoints: ContiguousArray<Endpoint?> = []
    let deflaters: DeflatePool

    init(loop: EventLoop, limits: ServingLimits, routes: any HTTPRoutes, metrics: ServingMetrics, log: Logger) {
        self.loop = loop
        self.limits = limits
        self.routes = routes
        self.metrics = metrics
        self.log = log
        deflaters = DeflatePool()
        table = ConnectionTable(loop: loop, limits: limits.connections, driver: self)
    }

    func endpoint(_ id: ConnectionID) -> Endpoint? {
        let slot = Int(id.slot)
        guard slot < endpoints.count, let endpoint = endpoints[slot], endpoint.id == id else { return nil }
        return endpoint
    }

    // MARK: ConnectionDriver

    func opened(_ id: ConnectionID, peer: PeerAddress) {
        let slot = Int(id.slot)
        while endpoints.count <= slot { endpoints.append(nil) }
        let exchange = HTTPExchange(parser: HTTPRequestParser(limits: limits.http))
        let endpoint = Endpoint(id: id, peer: peer, exchange: exchange, now: loop.now)
        endpoint.dwellUntil = loop.now + limits.headTimeout
        endpoints[slot] = endpoint
        arm(endpoint)
    }

    func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {
        guard let endpoint = endpoint(id) else { return }
        endpoint.heardAt = loop.now
        endpoint.isPongDue = false
        switch endpoint.stage {
        case .http:
            let span = bytes.span
            for i in span.indices { endpoint.exchange?.buffer.append(span[i]) }
            serveHTTP(endpoint)
        case .socket: receiveFrames(endpoint, &bytes)
        case .closing: receiveWhileClosing(endpoint, &bytes)
        }
    }

    func peerClosed(_ id: ConnectionID) {
        guard endpoint(id) != nil else { return }
        // Without a close frame the TCP end is the end (RFC 6455 §7.1.5: code 1006 for the application).
        table.close(id, .afterFlush)
    }

    func drained(_ id: ConnectionID) {
        guard let endpoint = endpoint(id), endpoint.stage == .socket else { return }
        application.drained(id)
    }

    func closed(_ id: ConnectionID, _ cause: CloseCause) {
        guard let endpoint = endpoint(id) else { return }
        endpoints[Int(id.slot)] = nil
        if endpoint.socket != nil {
            metrics.socketsClosed.add()
            application.closed(id)
        }
        if case .overflow = cause { metrics.slowConsumers.add() }
    }

    func deadline(_ id: ConnectionID) {
        guard let endpoint = endpoint(id) else { return }
        let now = loop.now
        switch endpoint.stage {
        case .http:
            if let until = endpoint.dwellUntil, now >= until {
                metrics.headTimeouts.add()
                if endpoint.exchange?.buffer.isEmpty == false {
                    respond(endpoint, .status(408), keepAlive: false)
                } else {
                    table.close(id, .now)
                }
                return
            }
        case .closing:
            if let until = endpoint.closeUntil, now >= until {
                table.close(id, .now)
                return
            }
        case .socket:
            if !socketDeadline(endpoint, now) { return }
        }
        arm(endpoint)
    }

    // MARK: Time

    /// False when the connection is being closed.
    private func socketDeadline(_ endpoint: Endpoint, _ now: MonotonicInstant) -> Bool {
        if let until = endpoint.dwellUntil {
            if application.isIntroduced(endpoint.id) {
                endpoint.dwellUntil = nil
            } else if now >= until {
                metrics.dwellTimeouts.add()
                close(endpoint.id, .connectTimeout)
                return false
            }
        }
        if let expiresAt = endpoint.expiresAt, now >= expiresAt {
            endpoint.expiresAt = nil
            application.expired(endpoint.id)
            return endpoint.stage == .socket
        }
        let silence = now - endpoint.heardAt
        if silence >= limits.pingInterval + limits.pongTimeout, endpoint.isPongDue {
            metrics.pongTimeouts.add()
            close(endpoint.id, .noPong)
            return false
        }
        if silence >= limits.pingInterval, !endpoint.isPongDue {
            endpoint.isPongDue = true
            table.send(endpoint.id, bytes: FrameEncoder.ping([]))
        }
        return true
    }

    /// Sets the connection's one deadline to the next thing that may be due.
    func arm(_ endpoint: Endpoint) {
        let next: MonotonicInstant?
        switch endpoint.stage {
        case .http: next = endpoint.dwellUntil
        case .closing: next = endpoint.closeUntil
        case .socket:
            let pong = endpoint.isPongDue ? limits.pingInterval + limits.pongTimeout : limits.pingInterval
            next = [endpoint.heardAt + pong, endpoint.dwellUntil, endpoint.expiresAt].compactMap { $0 }.min()
        }
        table.setDeadline(endpoint.id, after: next.map { max(.milliseconds(1), $0 - loop.now) })
    }

    // MARK: Frames in

    func receiveFrames(_ endpoint: Endpoint, _ bytes: inout MutableSpan<UInt8>) {
        let id = endpoint.id
        endpoint.isReceiving = true
        endpoint.socket?.receive(&bytes, deflaters) { kind, payload in
            metrics.messagesIn.add()
            application.message(id, kind, payload)
            return endpoint.closeAfterReceiving == nil
        }
        endpoint.isReceiving = false
        if let close = endpoint.closeAfterReceiving {
            endpoint.closeAfterReceiving = nil
            startClosing(endpoint, close.code, close.reason)
            return
        }
        flushSocket(endpoint)
    }

    private func receiveWhileClosing(_ endpoint: Endpoint, _ bytes: inout MutableSpan<UInt8>) {
        guard endpoint.socket != nil else { return }
        endpoint.socket?.receive(&bytes, deflaters) { _, _ in true }
        flushSocket(endpoint)
    }

    /// Sends what the protocol machine has to say, and does what its state asks for.
    private func flushSocket(_ endpoint: Endpoint) {
        guard let output = endpoint.socket?.takeOutput() else { return }
        if !output.isEmpty { table.send(endpoint.id, bytes: output) }
        switch endpoint.socket?.state {
        case .open?, nil: return
        case .closing?:
            if endpoint.stage != .closing {
                endpoint.stage = .closing
                endpoint.closeUntil = loop.now + limits.closeTimeout
                arm(endpoint)
            }
        case .closed?:
            // RFC 6455 §7.1.1: the server closes the TCP connection first.
            endpoint.stage = .closing
            endpoint.closeUntil = loop.now + limits.closeTimeout
            arm(endpoint)
            table.close(endpoint.id, .afterFlush)
        }
    }

    // MARK: Frames out

    func sendMessage(_ kind: MessageKind, _ payload: Span<UInt8>, to id: ConnectionID) {
        guard let endpoint = endpoint(id), endpoint.stage == .socket else { return }
        table.send(id, bytes: frame(kind, payload, endpoint.format))
    }

    func frame(_ kind: MessageKind, _ payload: Span<UInt8>, _ format: UInt8) -> [UInt8] {
        if format != 0, payload.count >= limits.deflateMinimumBytes {
            metrics.compressions.add()
            return deflaters.compressed(kind, payload, windowBits: Int(format))
        }
        return FrameEncoder.message(kind, payload)
    }

    func isCongested(_ id: ConnectionID) -> Bool { table.isCongested(id) }
    func pauseReading(_ id: ConnectionID) { table.pauseReading(id) }
    func resumeReading(_ id: ConnectionID) { table.resumeReading(id) }

    // MARK: Closing

    func close(_ id: ConnectionID, _ code: CloseCode) {
        guard let endpoint = endpoint(id), endpoint.stage == .socket else { return }
        metrics.closes.add(code.name)
        if endpoint.isReceiving {
            endpoint.closeAfterReceiving = (code.rawValue, code.name)
        } else {
            startClosing(endpoint, code.rawValue, code.name)
        }
    }

    private func startClosing(_ endpoint: Endpoint, _ code: UInt16, _ reason: String) {
        endpoint.socket?.close(code: code, reason: reason)
        flushSocket(endpoint)
    }
}

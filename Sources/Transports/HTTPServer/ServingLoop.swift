import Bytes
package import HTTP
package import Linux
package import Logging
package import Messaging
package import Reactor
package import Sessions
import Telemetry
package import WSProtocol

/// The connections of one event loop, from accept to close: HTTP heads, the upgrade, frames, liveness, closing.
///
/// Owns the endpoints of its `ConnectionTable`; an endpoint lives exactly as long as its connection.
package final class ServingLoop: ConnectionDriver {
    package let loop: EventLoop
    package let limits: ServingLimits
    package let metrics: ServingMetrics
    package let log: Logger
    package private(set) lazy var table = ConnectionTable(loop: loop, limits: limits.connections, driver: self)
    package var application: any SocketApplication = NoApplication()
    package let routes: any HTTPRoutes
    /// Indexed by slot; the generation inside the id tells a reused slot apart.
    private var endpoints: ContiguousArray<Endpoint?> = []
    package let deflaters: DeflatePool
    var machines = FrameMachines()
    private var datedSecond: Int64 = -1
    private var dateOfSecond = HTTPDate(seconds: 0)
    /// Storage lent to the frame machine whose read is served, for the frames it writes.
    private var answers: [UInt8] = []
    /// Storage for a frame that goes to one connection.
    private var framed: [UInt8] = []

    package init(loop: EventLoop, limits: ServingLimits, routes: any HTTPRoutes, metrics: ServingMetrics, log: Logger) {
        self.loop = loop
        self.limits = limits
        self.routes = routes
        self.metrics = metrics
        self.log = log
        deflaters = DeflatePool(level: limits.deflateLevel)
    }

    func endpoint(_ id: ConnectionID) -> Endpoint? {
        let slot = Int(id.slot)
        guard slot < endpoints.count, let endpoint = endpoints[slot], endpoint.id == id else { return nil }
        return endpoint
    }

    /// For the responses of this second.
    package func date() -> HTTPDate {
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
        while endpoints.count <= slot { endpoints.append(nil) }
        let exchange = HTTPExchange(limits: limits.http)
        // The first request gets the same deadline as later ones.
        exchange.isTimed = true
        let endpoint = Endpoint(id: id, exchange: exchange, now: loop.now)
        endpoint.until = loop.now + limits.headTimeout
        endpoints[slot] = endpoint
        arm(endpoint)
    }

    package func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {
        guard let endpoint = endpoint(id) else { return }
        endpoint.heardAt = loop.now
        endpoint.pongUntil = Endpoint.never
        switch endpoint.stage {
        case .http:
            endpoint.exchange?.buffer.append(copying: bytes.span)
            serveHTTP(endpoint)
        case .socket:
            receiveFrames(endpoint, &bytes)
        case .closing:
            // Until the peer's close frame comes, its messages are skipped.
            if endpoint.isUpgraded { receiveFrames(endpoint, &bytes) }
        }
    }

    package func peerClosed(_ id: ConnectionID) {
        guard endpoint(id) != nil else { return }
        // Without a close frame the TCP end is the end (RFC 6455 §7.1.5).
        table.close(id, .afterFlush)
    }

    package func drained(_ id: ConnectionID) {
        guard let endpoint = endpoint(id) else { return }
        switch endpoint.stage {
        case .http:
            table.resumeReading(id)
            serveHTTP(endpoint)
        case .socket: application.drained(id)
        case .closing: return
        }
    }

    package func closed(_ id: ConnectionID, _ cause: CloseCause) {
        guard let endpoint = endpoint(id) else { return }
        endpoints[Int(id.slot)] = nil
        if endpoint.isUpgraded {
            metrics.socketsClosed.add()
            application.closed(id)
        }
        if case .overflow = cause { metrics.slowConsumers.add() }
    }

    package func deadline(_ id: ConnectionID) {
        guard let endpoint = endpoint(id) else { return }
        let now = loop.now
        switch endpoint.stage {
        case .http:
            if now >= endpoint.until {
                metrics.headTimeouts.add()
                if endpoint.exchange?.buffer.isEmpty == false {
                    respond(endpoint, HTTPResponse(status: 408, text: "the request head took too long"), keepAlive: false)
                } else {
                    table.close(id, .now)
                }
                return
            }
        case .closing:
            if now >= endpoint.until {
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
        if endpoint.until != Endpoint.never {
            if application.isIntroduced(endpoint.id) {
                endpoint.until = Endpoint.never
            } else if now >= endpoint.until {
                metrics.dwellTimeouts.add()
                application.end(endpoint.id, .connectTimeout)
                return false
            }
        }
        if now >= endpoint.expiresAt {
            endpoint.expiresAt = Endpoint.never
            application.end(endpoint.id, .tokenExpired)
            return endpoint.stage == .socket
        }
        if endpoint.pongUntil != Endpoint.never {
            guard now >= endpoint.pongUntil else { return true }
            metrics.pongTimeouts.add()
            application.end(endpoint.id, .noPong)
            return false
        }
        if now - endpoint.heardAt >= limits.pingInterval {
            endpoint.pongUntil = now + limits.pongTimeout
            table.send(endpoint.id, bytes: FrameEncoder.ping())
        }
        return true
    }

    /// Sets the connection's one deadline to the next thing that may be due.
    func arm(_ endpoint: Endpoint) {
        var next = endpoint.until
        if endpoint.stage == .socket {
            let liveness = endpoint.pongUntil == Endpoint.never ? endpoint.heardAt + limits.pingInterval : endpoint.pongUntil
            next = min(next, endpoint.expiresAt, liveness)
        }
        table.setDeadline(endpoint.id, after: next == Endpoint.never ? nil : max(.milliseconds(1), next - loop.now))
    }

    // MARK: Frames in

    func receiveFrames(_ endpoint: Endpoint, _ bytes: inout MutableSpan<UInt8>) {
        let machine = machine(of: endpoint)
        swap(&machine.unsent, &answers)
        let step = serveFrames(endpoint.id, machine, &bytes)
        var frames = machine.takeUnsent()
        if !frames.isEmpty { table.send(endpoint.id, copying: frames.span) }
        frames.removeAll(keepingCapacity: frames.capacity <= Self.keptAnswerBytes)
        swap(&frames, &answers)
        follow(endpoint, machine, step)
        if machine.isAtRest {
            endpoint.frames = nil
            machines.giveBack(machine)
        }
    }

    /// Gives the messages in `bytes` to the application, one after the other. While it has one, it may send to this connection or close it.
    private func serveFrames(_ id: ConnectionID, _ machine: FrameMachine, _ bytes: inout MutableSpan<UInt8>) -> WebSocketStep {
        var position = 0
        while true {
            switch machine.socket.next(in: &bytes, from: &position, into: &machine.unsent) {
            case .message(let kind, let payload):
                metrics.messagesIn.add()
                payload.withBytes(in: bytes.span) { application.message(id, kind, $0, machine) }
                machine.socket.reuse(payload)
            case .control: continue
            case .exhausted(let step): return step
            }
        }
    }

    private static let keptAnswerBytes = 64 << 10

    /// The frame machine that the connection has, or one that it has until it is at rest.
    private func machine(of endpoint: Endpoint) -> FrameMachine {
        if let own = endpoint.frames { return own }
        let machine =
            machines.take(endpoint.kind)
            ?? FrameMachine(endpoint.kind, limits: limits.socket, agreement: endpoint.kind.agreement, pool: deflaters)
        endpoint.frames = machine
        return machine
    }

    /// Does what the frame machine asks for, after its frames were sent.
    private func follow(_ endpoint: Endpoint, _ machine: FrameMachine, _ step: WebSocketStep) {
        switch step {
        case .read: return
        case .awaitPeer: waitForPeer(endpoint)
        case .closeTransport:
            if case .violation(let violation)? = machine.socket.closure { metrics.violations.add("\(violation)") }
            // RFC 6455 §7.1.1: the server closes the TCP connection first.
            waitForPeer(endpoint)
            table.close(endpoint.id, .afterFlush)
        }
    }

    private func waitForPeer(_ endpoint: Endpoint) {
        guard endpoint.stage != .closing else { return }
        endpoint.stage = .closing
        endpoint.until = loop.now + limits.closeTimeout
        arm(endpoint)
    }

    // MARK: Frames out

    package func send(text: Span<UInt8>, to id: ConnectionID) {
        guard let endpoint = endpoint(id), endpoint.stage == .socket else { return }
        switch endpoint.format {
        case FrameFormat.ownContext: sendInContext(endpoint, text)
        case FrameFormat.plain:
            var frame: [UInt8] = []
            swap(&frame, &framed)
            frame.removeAll(keepingCapacity: frame.capacity <= Self.keptAnswerBytes)
            FrameEncoder.append(.text, text, into: &frame)
            table.send(id, copying: frame.span)
            swap(&frame, &framed)
        default: table.send(id, bytes: frame(text, endpoint.format))
        }
    }

    /// With context takeover a frame belongs to one connection, and frames must be sent in the order in which they were compressed.
    private func sendInContext(_ endpoint: Endpoint, _ text: Span<UInt8>) {
        let machine = machine(of: endpoint)
        machine.answer(.text, text)
        table.send(endpoint.id, bytes: machine.takeUnsent())
    }

    /// A text frame in a format that connections share.
    package func frame(_ text: Span<UInt8>, _ format: UInt8) -> [UInt8] {
        guard FrameFormat.windowBits.contains(format), text.count >= limits.socket.compressionThresholdBytes,
            let deflater = deflaters.deflater(windowBits: format)
        else { return FrameEncoder.text(text) }
        metrics.compressions.add()
        return FrameEncoder.compressedText(text, using: deflater)
    }

    package func isCongested(_ id: ConnectionID) -> Bool { table.isCongested(id) }
    package func pauseReading(_ id: ConnectionID) { table.pauseReading(id) }
    package func resumeReading(_ id: ConnectionID) { table.resumeReading(id) }

    // MARK: Closing

    package func close(_ id: ConnectionID, _ reason: EndReason) {
        guard let endpoint = endpoint(id), endpoint.stage == .socket else { return }
        metrics.closes.add(reason.reason)
        let socketCode = WebSocketCloseCode(reason.code)
        let machine = machine(of: endpoint)
        // Pongs and answers that have not been sent stand before the Close frame.
        let step = machine.socket.close(socketCode, reason: reason.reason, into: &machine.unsent)
        table.send(id, bytes: machine.takeUnsent())
        follow(endpoint, machine, step)
    }
}

/// How a connection's frames are encoded; equal formats share one payload.
enum FrameFormat {
    static let plain: UInt8 = 0
    /// Compressed in the connection's own context; what many connections share goes to it uncompressed, which the context ignores.
    static let ownContext: UInt8 = 1
    /// Compressed from nothing, with a window of so many bits.
    static let windowBits: ClosedRange<UInt8> = 9...15

    static func of(_ deflate: DeflateAgreement?) -> UInt8 {
        guard let deflate else { return plain }
        if !deflate.serverNoContextTakeover { return ownContext }
        return windowBits.contains(deflate.serverWindowBits) ? deflate.serverWindowBits : plain
    }
}

package import HTTP
package import Linux
package import Messaging
package import Reactor
import Sessions
import Telemetry
import WSProtocol

/// The WebSocket connections of one event loop, from the upgrade to the close: frames, liveness, the closing handshake.
package final class WebSocketServer: UpgradeHandler {
    package let table: ConnectionTable
    private let loop: EventLoop
    private let limits: ServingLimits
    private let metrics: ServingMetrics
    private let origins: OriginReport?
    private var application: (any WebSocketApplication)?
    /// By slot; the generation inside the id tells a reused slot apart.
    private var endpoints: ContiguousArray<WebSocketEndpoint?> = []
    private let deflaters: DeflatePool
    private var machines = FrameMachines()
    /// Storage lent to the frame machine whose read is served, for the frames it writes.
    private var answers: [UInt8] = []
    /// Storage for a frame that goes to one connection.
    private var framed: [UInt8] = []
    private var compressedInTurn = 0

    package init(_ server: HTTPServer, origins: OriginReport? = nil) {
        self.origins = origins
        table = server.table
        loop = server.loop
        limits = server.limits
        metrics = server.metrics
        deflaters = DeflatePool(level: limits.deflateLevel)
        loop.atTurnEnd { [unowned self] in compressedInTurn = 0 }
    }

    package func serve(_ application: any WebSocketApplication) { self.application = application }

    /// Once the loop has stopped: application and server let go of each other.
    package func detach() { application = nil }

    func endpoint(_ id: ConnectionID) -> WebSocketEndpoint? {
        let slot = Int(id.slot)
        guard slot < endpoints.count, let endpoint = endpoints[slot], endpoint.id == id else { return nil }
        return endpoint
    }

    // MARK: UpgradeHandler

    package func claims(_ request: HTTPRequest) -> Bool {
        guard let application else { return false }
        if let path = application.path { return request.path == path }
        return request.isUpgrade
    }

    package func upgrade(_ request: HTTPRequest, _ id: ConnectionID) -> HTTPResponse? {
        guard let application else { return HTTPResponse(status: 503) }
        if let refusal = application.refusal(of: request) {
            metrics.upgradesRefused.add("request")
            return refusal
        }
        guard request.minorVersion > 0 else {
            metrics.upgradesRefused.add("http_1_0")
            return HandshakeRejection.notAnUpgrade.response
        }
        switch ServerHandshake.answer(request, policy: application.handshake) {
        case .reject(let rejection):
            metrics.upgradesRefused.add("\(rejection)")
            if rejection == .originForbidden { origins?.refused(request) }
            return rejection.response
        case .accept(let agreement):
            metrics.socketsOpened.add()
            table.send(id, bytes: agreement.responseHead)
            let endpoint = WebSocketEndpoint(id: id, now: loop.now)
            endpoint.format = FrameFormat.of(agreement.deflate)
            endpoint.kind = FrameMachine.Kind(agreement.deflate)
            if endpoint.kind == .own {
                endpoint.frames = FrameMachine(.own, limits: limits.socket, agreement: agreement.deflate, pool: deflaters)
            }
            while endpoints.count <= Int(id.slot) { endpoints.append(nil) }
            endpoints[Int(id.slot)] = endpoint
            application.opened(endpoint, request, agreement)
            arm(endpoint)
            return nil
        }
    }

    package func isAnonymous(slot: Int) -> AnonymousConnection? {
        guard slot < endpoints.count, let endpoint = endpoints[slot], endpoint.isClosing || application?.hasUser(endpoint) == false
        else { return nil }
        return AnonymousConnection(id: endpoint.id, since: endpoint.openedAt)
    }

    package func end(_ id: ConnectionID, _ reason: EndReason) {
        if let endpoint = endpoint(id) { application?.end(endpoint, reason) }
    }

    // MARK: ConnectionDriver

    package func opened(_ id: ConnectionID, peer: PeerAddress) {}

    package func received(_ id: ConnectionID, _ bytes: inout MutableSpan<UInt8>) {
        guard let endpoint = endpoint(id) else { return }
        endpoint.hear(loop.now)
        receiveFrames(endpoint, &bytes)
    }

    /// Without a close frame the TCP end is the end (RFC 6455 §7.1.5).
    package func peerClosed(_ id: ConnectionID) {
        if endpoint(id) != nil { table.close(id, .afterFlush) }
    }

    package func drained(_ id: ConnectionID) {
        guard let endpoint = endpoint(id), !endpoint.isClosing else { return }
        application?.drained(endpoint)
    }

    package func closed(_ id: ConnectionID, _ cause: CloseCause) {
        guard let endpoint = endpoint(id) else { return }
        endpoints[Int(id.slot)] = nil
        metrics.socketsClosed.add()
        application?.closed(endpoint)
    }

    package func deadline(_ id: ConnectionID) {
        guard let endpoint = endpoint(id) else { return }
        switch endpoint.liveness {
        case .closing(let until):
            if loop.now >= until { return table.close(id, .now) }
        case .awaitsPong(var wait):
            if loop.now >= wait.until {
                guard wait.goesOn(with: table.peerWindow(id), at: loop.now, for: limits.pongTimeout) else {
                    metrics.pongTimeouts.add()
                    application?.end(endpoint, .noPong)
                    return
                }
                // Its acknowledgement tells the window: a peer to which nothing is sent tells it late.
                ping(endpoint, wait)
            }
        case .heard(let last, let read, _):
            if loop.now - last >= limits.pingInterval {
                ping(endpoint, PongWait(table.peerWindow(id), read: read, at: loop.now, for: limits.pongTimeout))
            }
        }
        arm(endpoint)
    }

    private func ping(_ endpoint: WebSocketEndpoint, _ wait: PongWait) {
        endpoint.liveness = .awaitsPong(wait)
        table.send(endpoint.id, bytes: FrameEncoder.ping())
    }

    /// Sets the connection's one deadline.
    private func arm(_ endpoint: WebSocketEndpoint) {
        let next =
            switch endpoint.liveness {
            case .closing(let until): until
            case .awaitsPong(let wait): wait.until
            case .heard(let last, _, _): last + limits.pingInterval
            }
        table.setDeadline(endpoint.id, after: max(.milliseconds(1), next - loop.now))
    }

    // MARK: Frames in

    private func receiveFrames(_ endpoint: WebSocketEndpoint, _ bytes: inout MutableSpan<UInt8>) {
        let machine = machine(of: endpoint)
        swap(&machine.unsent, &answers)
        let step = serveFrames(endpoint, machine, &bytes)
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
    private func serveFrames(_ endpoint: WebSocketEndpoint, _ machine: FrameMachine, _ bytes: inout MutableSpan<UInt8>) -> WebSocketStep {
        var position = 0
        while true {
            switch machine.socket.next(in: &bytes, from: &position, into: &machine.unsent) {
            case .message(let kind, let payload):
                metrics.messagesIn.add()
                payload.withBytes(in: bytes.span) { application?.message(endpoint, kind, $0, machine) }
                machine.socket.reuse(payload)
            case .control(.pong, _): endpoint.hearPong()
            case .control: continue
            case .exhausted(let step): return step
            }
        }
    }

    private static let keptAnswerBytes = 64 << 10

    /// The frame machine that the connection has, or one that it has until it is at rest.
    private func machine(of endpoint: WebSocketEndpoint) -> FrameMachine {
        if let own = endpoint.frames { return own }
        let machine =
            machines.take(endpoint.kind)
            ?? FrameMachine(endpoint.kind, limits: limits.socket, agreement: endpoint.kind.agreement, pool: deflaters)
        endpoint.frames = machine
        return machine
    }

    /// Does what the frame machine asks for, after its frames were sent.
    private func follow(_ endpoint: WebSocketEndpoint, _ machine: FrameMachine, _ step: WebSocketStep) {
        switch step {
        case .read: return
        case .awaitPeer: awaitPeer(endpoint)
        case .closeTransport:
            if case .violation(let violation)? = machine.socket.closure { metrics.violations.add("\(violation)") }
            // RFC 6455 §7.1.1: the server closes the TCP connection first.
            awaitPeer(endpoint)
            table.close(endpoint.id, .afterFlush)
        }
    }

    private func awaitPeer(_ endpoint: WebSocketEndpoint) {
        guard !endpoint.isClosing else { return }
        endpoint.liveness = .closing(until: loop.now + limits.closeTimeout)
        arm(endpoint)
    }

    // MARK: Frames out

    package func send(text: Span<UInt8>, to id: ConnectionID) {
        guard let endpoint = endpoint(id), !endpoint.isClosing else { return }
        switch endpoint.format {
        case FrameFormat.ownContext: sendInContext(endpoint, text)
        case FrameFormat.plain:
            var frame: [UInt8] = []
            swap(&frame, &framed)
            frame.removeAll(keepingCapacity: frame.capacity <= Self.keptAnswerBytes)
            FrameEncoder.append(.text, text, into: &frame)
            table.send(id, copying: frame.span)
            swap(&frame, &framed)
        default: table.send(id, bytes: frame(text, mayCompress(text) ? endpoint.format : FrameFormat.plain))
        }
    }

    /// With context takeover a frame belongs to one connection, and frames must be sent in the order in which they were compressed.
    private func sendInContext(_ endpoint: WebSocketEndpoint, _ text: Span<UInt8>) {
        let machine = machine(of: endpoint)
        machine.answer(.text, text, compressing: mayCompress(text))
        table.send(endpoint.id, bytes: machine.takeUnsent())
    }

    /// Bytes that one turn compresses for single connections: about 4 ms. What is beyond it is sent as it is, so that one client's large
    /// replies do not delay the others. Frames for many connections are compressed once, and do not count.
    private static let compressedPerTurn = 128 << 10

    private func mayCompress(_ text: Span<UInt8>) -> Bool {
        guard text.count >= limits.socket.compressionThresholdBytes else { return false }
        guard compressedInTurn + text.count <= Self.compressedPerTurn else {
            metrics.uncompressed.add()
            return false
        }
        compressedInTurn += text.count
        return true
    }

    /// A text frame in a format that connections share.
    func frame(_ text: Span<UInt8>, _ format: UInt8) -> [UInt8] {
        guard FrameFormat.windowBits.contains(format), text.count >= limits.socket.compressionThresholdBytes,
            let deflater = deflaters.deflater(windowBits: format)
        else { return FrameEncoder.text(text) }
        metrics.compressions.add()
        return FrameEncoder.compressedText(text, using: deflater)
    }

    // MARK: Closing

    package func close(_ id: ConnectionID, _ reason: EndReason) {
        guard let endpoint = endpoint(id), !endpoint.isClosing else { return }
        let machine = machine(of: endpoint)
        // Pongs and answers that have not been sent stand before the Close frame.
        let step = machine.socket.close(WebSocketCloseCode(reason.code), reason: reason.reason, into: &machine.unsent)
        table.send(id, bytes: machine.takeUnsent())
        follow(endpoint, machine, step)
    }
}

import Auth
import Linux
import Logging
import Messaging
import Reactor
import Sessions
import Telemetry
import Transports
import WSProtocol

/// One event loop on its thread, with its connections and sessions. Other threads use only this object.
///
/// The loop's thread creates the loop's parts and alone uses them. Threads share the inbox, the mailbox for connections and the loop's
/// handle.
final class LoopThread: Sendable {
    struct Settings: Sendable {
        var serving = ServingLimits()
        var sessions = SessionLimits()
        var handshake = HandshakePolicy()
        /// The time between two comments on an event stream.
        var heartbeat: Duration = .seconds(15)
        /// The longest wait of a poll.
        var pollWait: Duration = .seconds(25)
        var policy: TokenPolicy
        var rememberedTokens = 10_000
        /// The gateway's keys; nil: no gateway signs contexts for this hub.
        var contextKeys: KeySet?
        /// The loop's open requests to the store, and the capacity for their outcomes.
        var openOrders = 16_384
        /// Batches of bus events in the loop's inbox. Beyond this number the loop reads the entries from the store.
        var waitingEvents = 4_096
        /// Connections from other loops in the mailbox. Beyond this number their requests are refused (503).
        var waitingConnections = 1_024
    }

    let index: Int
    let inbox: LoopInbox
    let arrivals: Mailbox<HandedConnection>
    private let loop: EventLoop
    let listening = ListenReport()
    var name: String { loop.name }
    var heartbeat: Heartbeat { loop.handle.heartbeat }

    init(index: Int, settings: Settings) throws(SystemError) {
        self.index = index
        let loop = try EventLoop(name: "loop-\(index)")
        inbox = LoopInbox(loop: loop.handle, events: settings.waitingEvents, orders: settings.openOrders)
        arrivals = Mailbox(capacity: settings.waitingConnections, wakes: loop.handle)
        self.loop = loop
    }

    /// Starts the thread.
    /// - Parameters:
    ///   - listener: a listening socket of this loop's own (`SO_REUSEPORT`); the loop reports the result in `listening`.
    ///   - loops: the mailboxes through which loops hand over connections, by loop index.
    func start(
        _ settings: Settings, listener: Int32, loops: [Mailbox<HandedConnection>], services: any SessionServices, routes: any HTTPRoutes,
        metrics: ServingMetrics, log: Logger
    ) throws(SystemError) -> Thread {
        try Thread.spawn(name: "loop-\(index)") { [self] in
            let parts = LoopParts(
                loop, index, of: loops.count, inbox, settings, services: services, routes: routes, metrics: metrics, log: log)
            parts.server.exchangeConnections(with: loops, own: index)
            do throws(SystemError) {
                try parts.server.table.listen(on: listener)
            } catch {
                parts.detach()
                loop.letGo()
                return listening.report(.failure(error))
            }
            listening.report(.success(()))
            if parts.server.table.sendsTogether { metrics.loopsTogether.add(1) }
            if let failure = parts.server.table.ringFailure, index == 0 {
                log.notice("no io_uring here: each send is a system call of its own", metadata: ["reason": "\(failure)"])
            }
            loop.run()
            parts.detach()
            withExtendedLifetime(parts) {}
        }
    }
}

/// The parts of one event loop: the HTTP server, the sessions, the three transports and the requests about signing in and out.
private final class LoopParts {
    let server: HTTPServer
    private let sessions: SessionLoop
    private let sockets: WebSocketServer
    private let transports: [AnyObject]
    private let loop: EventLoop

    init(
        _ loop: EventLoop, _ index: Int, of loops: Int, _ inbox: LoopInbox, _ settings: LoopThread.Settings, services: any SessionServices,
        routes: any HTTPRoutes, metrics: ServingMetrics, log: Logger
    ) {
        self.loop = loop
        let verifier = TokenVerifier(policy: settings.policy, keys: .empty, cacheCapacity: settings.rememberedTokens)
        sessions = SessionLoop(
            loop: loop, number: UInt16(truncatingIfNeeded: index), inbox: inbox, limits: settings.sessions, verifier: verifier,
            contexts: settings.contextKeys.map { ContextVerifier(keys: $0, policy: settings.policy) }, services: services, metrics: metrics,
            log: log)
        sessions.start()
        server = HTTPServer(loop: loop, limits: settings.serving, routes: routes, metrics: metrics, full: FullReport(loop: loop, log: log))

        let origins = OriginReport(loop: loop, log: log)
        sockets = WebSocketServer(server, origins: origins)
        let webSockets = WebSocketTransport(server: sockets, sessions: sessions, handshake: settings.handshake)
        sockets.serve(webSockets)
        server.setUpgradeHandler(sockets)

        let ends = RecentEnds(loop: loop)
        let gate = RequestGate(
            sessions: sessions, policy: settings.handshake, loop: index, loops: loops,
            mostSessions: settings.serving.connections.maximum, ends: ends, origins: origins)
        let polls = PollTransport(server: server, sessions: sessions, gate: gate, ends: ends, longestWait: settings.pollWait)
        let fallback = FallbackSessions(sessions: sessions, loop: loop, holder: polls.number)
        polls.use(fallback)
        let streams = EventStreamTransport(
            server: server, sessions: sessions, fallback: fallback, gate: gate, heartbeat: settings.heartbeat)
        let commands = CommandRequests(
            server: server, sessions: sessions, fallback: fallback, gate: gate, messageBytes: settings.sessions.messageBytes)
        server.add(polls, at: "/v1/poll")
        server.add(streams, at: "/v1/events")
        server.add(commands, at: "/v1/commands")
        let tickets = TicketRequests(server: server, sessions: sessions, gate: gate)
        let mostBytes = settings.policy.maximumBytes
        let logouts = SecurityEventRequests(server: server, sessions: sessions, kind: .logout, mostBytes: mostBytes)
        let events = SecurityEventRequests(server: server, sessions: sessions, kind: .securityEvent, mostBytes: mostBytes)
        server.add(tickets, at: "/v1/ticket")
        server.add(logouts, at: "/v1/logout")
        server.add(events, at: "/v1/security-events")
        transports = [webSockets, polls, streams, commands, tickets, logouts, events]

        loop.atTurnEnd { [unowned self] in
            for control in inbox.takeControls() { obey(control) }
        }
    }

    private func obey(_ control: LoopInbox.Control) {
        switch control {
        case .drain(let drain):
            if drain.isFinal { server.table.stopListening() }
            sessions.drain(over: drain.over, spread: drain.spread, isFinal: drain.isFinal)
        case .undrain: sessions.undrain()
        case .list(let user, let tell): tell(sessions.lines(of: user))
        case .reach(let scope, let tell):
            let (count, users) = sessions.reach(of: scope)
            tell(count, users)
        case .switches(let board): sessions.use(board)
        case .stop: loop.handle.stop()
        }
    }

    func detach() {
        sessions.detach()
        server.detach()
        sockets.detach()
    }
}

import Auth
import Linux
import Logging
import Messaging
import Reactor
import Sessions
import Telemetry
import Transports
import WSProtocol

/// One event loop on its thread, with its connections and sessions. Other threads see only this object.
///
/// The loop's parts are made on its thread and never leave it; what is shared is the inbox and the loop's handle.
final class LoopThread: Sendable {
    struct Settings: Sendable {
        package var serving = ServingLimits()
        package var sessions = SessionLimits()
        package var handshake = HandshakePolicy()
        package var introduction: Duration = .seconds(10)
        package var policy: TokenPolicy
        package var rememberedTokens = 10_000
        /// Orders one loop may have open at the store; also the room for their outcomes.
        var openOrders = 16_384
        /// Batches of bus events waiting for the loop; beyond it the loop reads them from the store.
        var waitingEvents = 4_096
    }

    let index: Int
    let inbox: LoopInbox
    private let loop: EventLoop
    let listening = ListenReport()

    init(index: Int, settings: Settings) throws(SystemError) {
        self.index = index
        let loop = try EventLoop(name: "loop-\(index)")
        inbox = LoopInbox(loop: loop.handle, events: settings.waitingEvents, orders: settings.openOrders)
        self.loop = loop
    }

    /// Starts the thread. `listener` is a listening socket of this loop's own (`SO_REUSEPORT`); `listening` tells what came of it.
    func start(
        _ settings: Settings, listener: Int32, services: any SessionServices, routes: any HTTPRoutes,
        metrics: ServingMetrics, log: Logger
    ) throws(SystemError) -> Thread {
        try Thread.spawn(name: "loop-\(index)") { [self] in
            let loop = loop
            let verifier = TokenVerifier(policy: settings.policy, keys: .empty, cacheCapacity: settings.rememberedTokens)
            let sessions = SessionLoop(
                loop: loop, inbox: inbox, limits: settings.sessions, verifier: verifier, services: services, metrics: metrics, log: log)
            let serving = ServingLoop(loop: loop, limits: settings.serving, routes: routes, metrics: metrics, log: log)
            let sockets = SocketSessions(
                serving: serving, sessions: sessions, handshake: settings.handshake, introduction: settings.introduction)
            serving.application = sockets
            do throws(SystemError) {
                try serving.table.listen(on: listener)
            } catch {
                sessions.detach()
                loop.letGo()
                return listening.report(.failure(error))
            }
            listening.report(.success(()))
            if serving.table.sendsTogether { metrics.loopsTogether.add(1) }
            if let failure = serving.table.ringFailure, index == 0 {
                log.notice("no io_uring here: each send is a system call of its own", metadata: ["reason": "\(failure)"])
            }
            sessions.onControl = { control in
                switch control {
                case .drain(let spread): sockets.drain(spread: spread)
                case .stop: loop.handle.stop()
                }
            }
            loop.run()
            sessions.detach()
            withExtendedLifetime((serving, sockets)) {}
        }
    }
}

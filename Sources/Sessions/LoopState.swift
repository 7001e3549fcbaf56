import Bus
import Linux
import Logging
import Messaging
import Pacing
import Reactor
import StoreAPI
import Telemetry

/// What all parts of a loop's sessions share. Each part has its own state besides.
final class LoopState {
    let loop: EventLoop
    let limits: SessionLimits
    let metrics: ServingMetrics
    let log: Logger
    let services: any SessionServices
    let table: SessionTable
    let exchanges = Exchanges()
    let outbound: Outbound
    var fanOut = FanOut()
    var early = EarlyPushes()
    /// What operators have switched off, as far as it is in force. Empty nearly always.
    var switchboard = Switchboard()
    /// The history of the store to which all numbers that the sessions know belong.
    var epoch: Epoch?

    init(
        loop: EventLoop, number: UInt16, limits: SessionLimits, services: any SessionServices, metrics: ServingMetrics, log: Logger
    ) {
        self.loop = loop
        self.limits = limits
        self.services = services
        self.metrics = metrics
        self.log = log
        table = SessionTable(loop: number)
        outbound = Outbound(table: table, exchanges: exchanges)
    }

    var now: Timestamp { Timestamp(milliseconds: WallClock.now()) }

    /// - Parameter isLoud: answers also a command without an id: the client could not be understood and should know.
    func refuse(_ live: LiveSession, _ origin: CommandOrigin, _ refusal: Refusal, isLoud: Bool = false) {
        if let fault = refusal.fault { log.error("an answer of the store cannot be used", metadata: ["reason": "\(fault)"]) }
        metrics.refusals.add(refusal.code.rawValue)
        if origin.id != nil || isLoud {
            let retry = refusal.code.isTemporary ? UInt64(max(1, Self.milliseconds(refusal.retryAfter ?? limits.retryAfter))) : nil
            outbound.answer(live, origin) {
                ServerMessage.error(re: origin.id, refusal.code, refusal.reason, retryAfterMs: retry, into: &$0)
            }
        }
        if live.session.phase != .open, !refusal.code.isTemporary { countUnauthenticated(live) }
    }

    /// Rounded up, so that a client that comes back then does not come too early.
    private static func milliseconds(_ duration: Duration) -> Int64 { (duration + .nanoseconds(999_999)).wholeMilliseconds }

    func refuse(_ live: LiveSession, _ origin: CommandOrigin, _ code: ErrorCode, _ reason: String, isLoud: Bool = false) {
        refuse(live, origin, Refusal(code, reason), isLoud: isLoud)
    }

    /// A client that does not connect gets a bounded number of answers.
    private func countUnauthenticated(_ live: LiveSession) {
        live.unauthenticatedCommands &+= 1
        if live.unauthenticatedCommands == limits.unauthenticatedCommands + 1 { end(live, .badFrame) }
    }

    func end(_ live: LiveSession, _ reason: EndReason, spread: Duration = .zero) {
        guard !live.isEnding else { return }
        live.isEnding = true
        metrics.closes.add(reason.reason)
        outbound.end(live.id, reason, spread: spread)
    }
}

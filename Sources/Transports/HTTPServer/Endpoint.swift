import HTTP
import Linux
import Reactor
import WSProtocol

/// What a loop keeps for one connection above its socket: an HTTP exchange first, a WebSocket after the upgrade.
///
/// Ten thousands of them wait in silence, so what only a busy one needs is elsewhere, and one word names it.
package final class Endpoint {
    enum Stage: UInt8 {
        case http
        case socket
        /// A close frame or a last response is on its way; input is dropped until the peer is gone or `until` passes.
        case closing
    }

    static let never = MonotonicInstant(nanoseconds: .max)

    /// What is under way: a connection receives a request or frames, never both.
    private enum Work {
        case none
        case request(HTTPExchange)
        case frames(FrameMachine)
    }

    let id: ConnectionID
    private var work: Work
    var exchange: HTTPExchange? {
        get {
            guard case .request(let exchange) = work else { return nil }
            return exchange
        }
        set { work = newValue.map { .request($0) } ?? .none }
    }
    /// Nil while nothing of a message is there; see `FrameMachines`.
    var frames: FrameMachine? {
        get {
            guard case .frames(let machine) = work else { return nil }
            return machine
        }
        set { work = newValue.map { .frames($0) } ?? .none }
    }
    /// Any inbound byte counts as a sign of life.
    var heardAt: MonotonicInstant
    /// A ping is out, and something must be heard by then. Counted from the ping, not from the silence before it: a hub that was
    /// stopped for a while itself would otherwise cut everybody the moment it goes on.
    var pongUntil = never
    /// The request head, the body, `connect`, or the peer's end must be there by then.
    var until = never
    var expiresAt = never
    var stage = Stage.http
    var format = FrameFormat.plain
    var kind = FrameMachine.Kind.plain
    var isUpgraded = false

    init(id: ConnectionID, exchange: HTTPExchange, now: MonotonicInstant) {
        self.id = id
        work = .request(exchange)
        heardAt = now
    }
}

/// A request being received: bytes until the head is whole, then until the body is.
final class HTTPExchange {
    var parser: HTTPRequestParser
    var buffer: [UInt8]
    var request: HTTPRequest?
    var headBytes = 0
    /// The endpoint's `until` is this request's.
    var isTimed = false

    init(limits: HTTPLimits, buffer: [UInt8] = []) {
        parser = HTTPRequestParser(limits: limits)
        self.buffer = buffer
    }
}

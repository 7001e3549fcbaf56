import HTTP
import Linux
package import Logging
package import Reactor

/// Logs that pages were refused because of their origin, so that an operator who forgot to list an origin finds the reason. At most one
/// line a minute for each loop.
package final class OriginReport {
    private static let interval: Duration = .seconds(60)
    private static let mostBytes = 200

    private unowned let loop: EventLoop
    private let log: Logger
    private var refused = 0
    private var reported: MonotonicInstant?

    package init(loop: EventLoop, log: Logger) {
        self.loop = loop
        self.log = log
    }

    func refused(_ request: HTTPRequest) {
        refused += 1
        if let reported, loop.now - reported < Self.interval { return }
        let origin = String(decoding: (request.headers.first("origin") ?? "").utf8.prefix(Self.mostBytes), as: UTF8.self)
        log.warning(
            "pages were refused because of their origin",
            metadata: ["newest": "\(origin)", "refused": "\(refused)", "setting": "websocket.origins"])
        reported = loop.now
        refused = 0
    }
}

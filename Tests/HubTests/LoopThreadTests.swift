import Auth
import Bus
import HTTP
import HangGuard
import Linux
import Logging
import Sessions
import StoreAPI
import TestKit
import Testing
import Transports

@testable import Hub

@Suite("One event loop's thread", .guarded)
struct LoopThreadTests {
    private final class NotFound: HTTPRoutes {
        func answer(_ request: HTTPRequest, _ body: [UInt8]) -> HTTPResponse { HTTPResponse(status: 404) }
    }

    private final class Services: SessionServices {
        let bus: any Bus = HeardBus()
        let store: any StoreDesk = MockStore()
        let node = "alone"
        let features: [String] = []
        func makeSessionIDs() -> [String] { ["s"] }
        func requestKey(_ kid: String?) {}
    }

    @Test("a loop that cannot listen reports a failure")
    func cannotListen() throws {
        let settings = LoopThread.Settings(policy: TokenPolicy())
        let loop = try LoopThread(index: 0, settings: settings)
        let thread = try loop.start(
            settings, listener: -1, loops: [loop.arrivals], services: Services(), routes: NotFound(), metrics: ServingMetrics(),
            log: Logger(label: "serving") { _ in SwiftLogNoOpLogHandler() })
        #expect(throws: SystemError.self) { try loop.listening.wait() }
        thread.join()
    }
}

import HTTP
import HangGuard
import Linux
import Reactor
import Store
import Synchronization
import Telemetry
import Testing

@testable import Hub

@Suite("Signs of life of the threads", .guarded)
struct ThreadWatchTests {
    /// Seconds that a test sets.
    private final class Clock: Sendable {
        private let seconds = Atomic<Int64>(0)
        var now: MonotonicInstant { MonotonicInstant(nanoseconds: seconds.load(ordering: .relaxed) * 1_000_000_000) }
        func set(_ value: Int64) { seconds.store(value, ordering: .relaxed) }
    }

    private let clock = Clock()
    private let store: Heartbeat
    private let keys: Heartbeat
    private let health: Health

    init() {
        let clock = clock
        store = Heartbeat(at: clock.now)
        keys = Heartbeat(at: clock.now)
        health = Health(threads: ThreadWatch(clock: { clock.now }))
        health.threads.watch("store", store)
        health.threads.watch("keys", keys, silentAfter: .seconds(30))
        for part in Health.Part.allCases { health.watch(part) { true } }
    }

    @Test("a thread that does not stamp makes the hub unready, by its own time")
    func unready() {
        clock.set(10)
        #expect(health.readiness == .ready(without: []))
        clock.set(11)
        #expect(health.readiness == .notReady(["thread store has not run for 11 s"]))
        store.stamp(clock.now)
        #expect(health.readiness == .ready(without: []))
        clock.set(31)
        #expect(health.readiness == .notReady(["thread store has not run for 20 s", "thread keys has not run for 31 s"]))
        #expect(health.lost.isEmpty)
    }

    @Test("a thread that has not stamped for a minute needs a restart: /livez fails")
    func lost() throws {
        let routes = HubRoutes(health: health, metrics: { "" }, demo: nil)
        let asked = try #require(request("GET /livez HTTP/1.1\r\nHost: h\r\n\r\n"))
        clock.set(60)
        keys.stamp(clock.now)
        #expect(routes.answer(asked, []).status == 200)
        clock.set(61)
        let answer = routes.answer(asked, [])
        #expect(answer.status == 503)
        #expect(String(decoding: answer.body, as: UTF8.self) == "not alive: thread store has not run for 61 s\n")
    }

    @Test("the silence of each thread is a metric")
    func metric() {
        clock.set(3)
        keys.stamp(clock.now)
        clock.set(4)
        let text = HubMetrics(health: health, store: StoreStatistics()).text()
        #expect(text.contains("hub_thread_silence_seconds{thread=\"store\"} 4\n"))
        #expect(text.contains("hub_thread_silence_seconds{thread=\"keys\"} 1\n"))
    }

    @Test("the log hears once of a silent thread, and once that it runs again")
    func report() {
        var report = SilenceReport()
        #expect(report.look([]).new.isEmpty)
        clock.set(11)
        #expect(report.look(health.threads.silent).new == [SilentThread(name: "store", silence: .seconds(11))])
        #expect(report.look(health.threads.silent) == ([], []))
        store.stamp(clock.now)
        #expect(report.look(health.threads.silent) == ([], ["store"]))
        #expect(report.look(health.threads.silent) == ([], []))
    }
}

/// Parses a request's head.
func request(_ text: String) -> HTTPRequest? {
    var parser = HTTPRequestParser(limits: HTTPLimits())
    guard case .request(let request, _) = parser.parse(Array(text.utf8).span) else { return nil }
    return request
}

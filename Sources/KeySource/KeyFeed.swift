package import Auth
package import Configuration
package import Curl
package import Linux
package import Logging
package import Reactor
package import Telemetry

/// Keeps the key set current, on a thread of its own that a fetch may block. `JWKSSource` decides when keys are fetched.
package final class KeyFeed: Sendable {
    package let metrics: KeyMetrics
    package var heartbeat: Heartbeat { loop.heartbeat }
    private let questions: Mailbox<String?>
    private let loop: LoopHandle
    private let thread: Thread

    /// Starts at once. `tell` is called on the feed's thread.
    package init(
        _ location: KeyLocation, settings: JWKSSource.Settings, limits: FetchLimits = FetchLimits(), metrics: KeyMetrics = KeyMetrics(),
        log: Logger, tell: @escaping @Sendable (KeyNews) -> Void
    ) throws(SystemError) {
        let loop = try EventLoop(name: "keys")
        // At most about one fetch a second answers questions, so more waiting ones would be for the same few names.
        let questions = Mailbox<String?>(capacity: 1_024, wakes: loop.handle)
        self.questions = questions
        self.loop = loop.handle
        self.metrics = metrics
        thread = try Thread.spawn(name: "keys") {
            KeyFeedWorker(loop, questions, KeyReader(location, limits: limits), settings, metrics, log, tell).run()
        }
    }

    /// A token named this unknown key (nil: it named none, and no key fitted). From any thread; never blocks.
    package func request(_ keyID: String?) {
        // A full mailbox holds other questions whose fetch answers this one too.
        if !questions.post(keyID) { metrics.questionsDropped.add() }
    }

    /// Blocks for at most one fetch. Call once.
    /// - Returns: false when the thread has not ended within `limit`; it is then left behind.
    @discardableResult
    package func stop(within limit: Duration = .seconds(60)) -> Bool {
        loop.stop()
        return thread.join(within: limit)
    }
}

/// What the key feed counts. Written by its thread, read by any.
package final class KeyMetrics: MetricsGroup {
    package let fetches = Counter("hub_key_fetches_total", "Fetches of the keys from their source.")
    /// By why: `unreachable`, `status`, `unusable`.
    package let failures = LabelledCounter("hub_key_fetch_failures_total", "Fetches of the keys that failed, by reason.", label: "reason")
    package let questions = Counter("hub_key_questions_total", "Tokens that named an unknown key.")
    package let questionsDropped = Counter(
        "hub_key_questions_dropped_total", "Tokens whose unknown key was not fetched, because too many fetches were waiting.")
    package let withdrawn = Counter("hub_keys_withdrawn_total", "Keys that their source withdrew or changed.")
    /// Keys that count now; 0 before the first fetch and after failing closed.
    package let keys = Gauge("hub_keys", "Keys that tokens are verified with.")

    package init() {}
}

internal import Auth
internal import Curl
internal import Linux
internal import Logging
internal import Reactor

/// Keeps the key set current: a thread that does what `JWKSSource` says, blocking only itself.
final class KeyFeed: Sendable {
    let metrics: KeyMetrics
    private let questions: Mailbox<String?>
    private let loop: LoopHandle
    private let thread: Thread

    /// Starts at once; `tell` is called on the feed's thread.
    init(
        _ location: KeyLocation, settings: JWKSSource.Settings, limits: FetchLimits = FetchLimits(), metrics: KeyMetrics = KeyMetrics(),
        log: Logger, tell: @escaping @Sendable (KeyNews) -> Void
    ) throws(SystemError) {
        let loop = try EventLoop(name: "keys")
        // The machine answers at most one question a second or so; more waiting ones would be for the same few names.
        let questions = Mailbox<String?>(capacity: 1_024, wakes: loop.handle)
        self.questions = questions
        self.loop = loop.handle
        self.metrics = metrics
        thread = try Thread.spawn(name: "keys") {
            KeyFeedWorker(loop, questions, KeyReader(location, limits: limits), settings, metrics, log, tell).run()
        }
    }

    /// A token named this key (nil: none, and no key fitted). From any thread; never blocks.
    func request(_ keyID: String?) {
        // A full mailbox holds other questions whose fetch answers this one too.
        if !questions.post(keyID) { metrics.questionsDropped.add() }
    }

    /// Blocks for at most one fetch. Call once.
    func stop() {
        loop.stop()
        thread.join()
    }
}

/// What the key feed tells whoever verifies tokens.
enum KeyNews: Equatable, Sendable {
    /// These count from now on. Told again unchanged when a question for an unknown key has been answered.
    case keys(KeySet)
    /// There is no such key, and it is not worth waiting for one.
    case absent(String?)
}

/// What the key feed counts. Written by its thread, read by any.
final class KeyMetrics: Sendable {
    let fetches = Counter()
    /// By why: `unreachable`, `status`, `unusable`.
    let failures = LabelledCounter()
    let questions = Counter()
    let questionsDropped = Counter()
    /// Keys that count now; 0 before the first fetch and after failing closed.
    let keys = Gauge()
}

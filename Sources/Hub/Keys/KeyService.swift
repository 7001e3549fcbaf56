internal import Auth
internal import Curl
internal import Linux
internal import Logging
internal import Reactor

/// Keeps the keys that tokens are verified with up to date: a thread of its own around `JWKSSource`, because a fetch blocks.
///
/// A source that is a path is read again when the file changes; an `http(s)` address as `JWKSSource` decides.
final class KeyService: Sendable {
    private let questions: Mailbox<String?>
    private let loop: EventLoop
    private let place: KeyPlace
    private let settings: JWKSSource.Settings
    private let metrics: KeyMetrics
    private let log: Logger
    private let publish: @Sendable (KeySet) -> Void
    private let thread = ThreadBox()

    /// - Parameters:
    ///   - source: a file, or an `http:` or `https:` address.
    ///   - publish: called on the service's thread whenever other keys count, and when a question for an unknown key has been
    ///     answered, be it by the same keys.
    convenience init(
        source: String, settings: Configuration.Auth, metrics: KeyMetrics = KeyMetrics(), log: Logger,
        publish: @escaping @Sendable (KeySet) -> Void
    ) throws(SystemError) {
        let place = KeyPlace(source)
        try self.init(place, place.settings(refreshInterval: settings.refetchAfter), metrics: metrics, log: log, publish: publish)
    }

    init(
        _ place: KeyPlace, _ settings: JWKSSource.Settings, metrics: KeyMetrics, log: Logger, publish: @escaping @Sendable (KeySet) -> Void
    ) throws(SystemError) {
        loop = try EventLoop(name: "keys")
        // The machine answers a question a second or so; more waiting ones would be for the same few names.
        questions = Mailbox(capacity: 256, wakes: loop.handle)
        self.place = place
        self.settings = settings
        self.metrics = metrics
        self.log = log
        self.publish = publish
    }

    func start() throws(SystemError) {
        thread.set(
            try Thread.spawn(name: "keys") { [self] in
                let reader = KeyReader(place, limits: FetchLimits())
                let worker = KeyWorker(loop, reader, settings, metrics, log, publish)
                loop.receive(from: questions) { batch in for id in batch { worker.need(id) } }
                worker.begin()
                loop.run()
            })
    }

    /// A token named a key that no loop knows (nil: none, and no key fits). Any thread; never blocks.
    func need(_ keyID: String?) {
        // A full mailbox holds questions whose fetch answers this one too.
        if !questions.post(keyID) { metrics.questionsDropped.add() }
    }

    /// Blocks for at most one fetch.
    func stop() {
        loop.handle.stop()
        thread.join()
    }
}

/// What the key service counts. Written by its thread, read by any.
final class KeyMetrics: Sendable {
    let fetches = Counter()
    /// By why: `unreachable`, `status`, `unusable`.
    let failures = LabelledCounter()
    let questions = Counter()
    let questionsDropped = Counter()
    /// Keys that count now; 0 before the first fetch and after failing closed.
    let keys = Gauge()
}

import Auth
import Curl
import Linux
import Logging
import Reactor
import Telemetry

/// Carries out what `JWKSSource` decides, on the feed's thread.
final class KeyFeedWorker {
    private let loop: EventLoop
    private let questions: Mailbox<String?>
    private let reader: KeyReader
    private var source: JWKSSource
    private let metrics: KeyMetrics
    private let log: Logger
    private let news: @Sendable (KeyNews) -> Void
    private var timer: TimerID?
    private var noted: [KeyNote] = []
    /// The last set that was published.
    private var published = KeySet.empty

    init(
        _ loop: EventLoop, _ questions: Mailbox<String?>, _ reader: KeyReader, _ settings: JWKSSource.Settings, _ metrics: KeyMetrics,
        _ log: Logger, _ news: @escaping @Sendable (KeyNews) -> Void
    ) {
        self.loop = loop
        self.questions = questions
        self.reader = reader
        source = JWKSSource(settings: settings, now: .nanoseconds(MonotonicInstant.now.nanoseconds))
        self.metrics = metrics
        self.log = log
        self.news = news
    }

    /// Runs until stopped.
    func run() {
        loop.receive(from: questions) { [unowned self] batch in
            for id in batch {
                metrics.questions.add()
                handle(.unknownKey(id))
            }
            sleep()
        }
        handle(.tick)
        sleep()
        loop.run()
    }

    /// Reads the clock, because a fetch may block for seconds within one turn of the loop.
    private var now: Duration { .nanoseconds(MonotonicInstant.now.nanoseconds) }

    private func handle(_ event: JWKSSource.Event) {
        for action in source.handle(event, at: now) {
            switch action {
            case .fetch: fetch()
            case .publish(let keys, let asOf): publish(keys, asOf: asOf)
            case .failClosed: failClosed()
            case .alert(let alert): report(alert)
            }
        }
    }

    private func fetch() {
        metrics.fetches.add()
        let outcome = reader.read()
        switch outcome {
        case .keys(let keys, _):
            if keys.notes != noted {
                noted = keys.notes
                for note in noted { report(note) }
            }
        case .failed(let failure):
            metrics.failures.add(failure.name)
        }
        handle(.fetched(outcome))
    }

    private func publish(_ keys: KeySet, asOf: Duration) {
        reportChange(to: keys)
        published = keys
        metrics.keys.set(Int64(keys.keys.count))
        news(.keys(keys, asOf: asOf))
    }

    private func failClosed() {
        metrics.keys.set(0)
        news(.tooOld)
    }

    private func sleep() {
        if let timer { loop.cancel(timer) }
        timer = loop.after(max(source.nextWake - now, .milliseconds(1))) { [unowned self] in
            timer = nil
            handle(.tick)
            sleep()
        }
    }

    // MARK: Reporting

    private func report(_ alert: JWKSSource.Alert) {
        switch alert {
        case .noKeysYet(let failure):
            log.error("No keys yet: no token can be accepted", metadata: ["reason": "\(failure.reason)"])
        case .refreshFailing(.unusable(let failure)):
            log.error(
                "The key set that was read cannot be used; the last good keys count",
                metadata: ["reason": "\(JWKSSource.FetchFailure.unusable(failure).reason)"])
        case .refreshFailing(let failure):
            log.warning("Keys cannot be refreshed; the last good ones count", metadata: ["reason": "\(failure.reason)"])
        case .stale(let age):
            log.error("Keys are growing old; tokens will be refused when they are too old", metadata: ["age": "\(age.components.seconds)s"])
        case .failedClosed(let age):
            log.critical("Keys are too old: no token is accepted any more", metadata: ["age": "\(age.components.seconds)s"])
        case .recovered:
            log.notice("Keys are current again")
        }
    }

    private func reportChange(to keys: KeySet) {
        let withdrawn = published.keys.filter { !keys.keys.contains($0) }
        guard !withdrawn.isEmpty else { return }
        metrics.withdrawn.add(UInt64(withdrawn.count))
        log.notice(
            "Keys were withdrawn or changed: the sessions of their tokens end",
            metadata: ["kids": "\(withdrawn.map { $0.id ?? "without kid" }.joined(separator: " "))"])
    }

    private func report(_ note: KeyNote) {
        let about: Logger.Metadata = ["key": "\(note.index)", "kid": "\(note.id ?? "")"]
        switch note.remark {
        case .ignored(let reason):
            log.warning("A key of the set is left out", metadata: about.merging(["reason": "\(reason.rawValue)"]) { $1 })
        case .duplicateID:
            log.warning("Two keys of the set have the same kid", metadata: about)
        case .disputedID:
            log.warning("A key of the set is left out: a broken one has the same kid", metadata: about)
        case .holdsPrivateHalf:
            log.error("The key set publishes the private half of a key", metadata: about)
        }
    }
}

extension JWKSSource.FetchFailure {
    fileprivate var name: String {
        switch self {
        case .unreachable: "unreachable"
        case .status: "status"
        case .unusable: "unusable"
        }
    }

    fileprivate var reason: String {
        switch self {
        case .unreachable(let reason): reason
        case .status(let code): "status \(code)"
        case .unusable(let failure): "not a usable key set: \(failure.reason)"
        }
    }
}

extension KeySetFailure {
    fileprivate var reason: String {
        switch self {
        case .notJSON(let reason): "no JSON: \(reason)"
        case .notAKeySet: "neither a key set nor PEM keys"
        case .unknownAlgorithm: "the file names an unknown algorithm"
        case .tooManyKeys: "too many keys"
        case .mixesSecretsAndPublicKeys: "it mixes shared secrets and public keys"
        case .noUsableKey(let notes): "none of its \(notes.count) keys can be used"
        case .unreadablePEM: "a PEM block cannot be read"
        }
    }
}

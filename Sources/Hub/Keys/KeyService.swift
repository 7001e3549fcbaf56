import Auth
import Curl
import Linux
import Logging
import Reactor

/// Keeps the keys that tokens are verified with up to date: a thread of its own around `JWKSSource`, because a fetch blocks.
///
/// A source that is a path is read again when the file changes; an `http(s)` address as `JWKSSource` decides.
final class KeyService: Sendable {
    private let mailbox: Mailbox<String?>
    private let loop: EventLoop
    private let source: String
    private let settings: Configuration.Auth
    private let log: Logger
    private let publish: @Sendable (KeySet) -> Void
    private let thread = ThreadBox()

    init(source: String, settings: Configuration.Auth, log: Logger, publish: @escaping @Sendable (KeySet) -> Void) throws(SystemError) {
        loop = try EventLoop(name: "keys")
        mailbox = Mailbox(capacity: 256, wakes: loop.handle)
        self.source = source
        self.settings = settings
        self.log = log
        self.publish = publish
    }

    func start() throws(SystemError) {
        thread.set(
            try Thread.spawn(name: "keys") { [self] in
                let worker = KeyWorker(loop: loop, source: source, settings: settings, log: log, publish: publish)
                loop.receive(from: mailbox) { batch in for kid in batch { worker.need(kid) } }
                worker.begin()
                loop.run()
            })
    }

    /// A token named a key that no loop knows. Any thread; too many of them are the same as one.
    func need(_ kid: String?) { _ = mailbox.post(kid) }

    func stop() {
        loop.handle.stop()
        thread.join()
    }
}

/// The thread's own part.
private final class KeyWorker {
    private let loop: EventLoop
    private let source: String
    private let log: Logger
    private let publish: (KeySet) -> Void
    private var machine: JWKSSource
    private let start = MonotonicInstant.now
    private var client: HTTPClient?
    private var timer: TimerID?
    private var fileChanged: Int64 = 0
    /// How soon a changed key file is noticed.
    private static let fileInterval: Duration = .seconds(5)

    init(loop: EventLoop, source: String, settings: Configuration.Auth, log: Logger, publish: @escaping (KeySet) -> Void) {
        self.loop = loop
        self.source = source
        self.log = log
        self.publish = publish
        var rules = JWKSSource.Settings()
        rules.refreshInterval = settings.refetchAfter
        if !source.isURL {
            rules.unknownKeySpacing = .seconds(1)
            rules.absentKeyLifetime = .seconds(1)
        }
        machine = JWKSSource(settings: rules, now: .zero)
    }

    private var now: Duration { MonotonicInstant.now - start }

    func begin() {
        act(machine.handle(.tick, at: now))
        if !source.isURL { watchFile() }
    }

    func need(_ kid: String?) { act(machine.handle(.unknownKey(kid), at: now)) }

    private func act(_ actions: [JWKSSource.Action]) {
        for action in actions {
            switch action {
            case .fetch: act(machine.handle(.fetched(fetch()), at: now))
            case .publish(let keys): publish(keys)
            case .alert(let alert): tell(alert)
            }
        }
        if let timer { loop.cancel(timer) }
        timer = loop.after(max(.milliseconds(10), min(machine.nextWake - now, .seconds(3_600)))) { [unowned self] in
            timer = nil
            act(machine.handle(.tick, at: now))
        }
    }

    private func fetch() -> JWKSSource.Outcome {
        source.isURL ? fetchDocument() : readFile()
    }

    private func fetchDocument() -> JWKSSource.Outcome {
        let document: FetchedDocument
        do throws(FetchFailure) {
            if client == nil { client = try HTTPClient() }
            guard let client else { return .failed(.unreachable("no HTTP client")) }
            document = try client.fetch(source)
        } catch {
            return .failed(.unreachable("\(error)"))
        }
        guard document.status == 200 else { return .failed(.status(document.status)) }
        return parse(document.body, maxAge: document.maximumAge)
    }

    private func readFile() -> JWKSSource.Outcome {
        do throws(SystemError) {
            fileChanged = try Files.modified(source)
            return parse(try Files.read(source, limit: 1 << 20), maxAge: nil)
        } catch {
            return .failed(.unreachable("\(error)"))
        }
    }

    private func parse(_ document: [UInt8], maxAge: Duration?) -> JWKSSource.Outcome {
        do throws(KeySetFailure) {
            let keys = try KeySet.parse(jwks: document, acceptsSecrets: !source.isURL)
            for note in keys.notes { log.notice("key of the key set is not used", metadata: ["note": "\(note)"]) }
            return .keys(keys, maxAge: maxAge)
        } catch {
            return .failed(.unusable(error))
        }
    }

    private func watchFile() {
        loop.after(Self.fileInterval) { [unowned self] in
            if let changed = try? Files.modified(source), changed != fileChanged {
                act(machine.handle(.fetched(readFile()), at: now))
                log.info("key file read again", metadata: ["file": "\(source)"])
            }
            watchFile()
        }
    }

    private func tell(_ alert: JWKSSource.Alert) {
        switch alert {
        case .noKeysYet(let failure): log.error("no keys to verify tokens with", metadata: ["source": "\(source)", "error": "\(failure)"])
        case .refreshFailing(let failure):
            log.warning("keys could not be refreshed; the last good ones count", metadata: ["source": "\(source)", "error": "\(failure)"])
        case .stale(let age): log.warning("keys grow old", metadata: ["source": "\(source)", "ageSeconds": "\(age.components.seconds)"])
        case .failedClosed(let age):
            log.critical("keys are too old: no token is accepted", metadata: ["source": "\(source)", "ageSeconds": "\(age.components.seconds)"])
        case .recovered: log.notice("keys can be fetched again", metadata: ["source": "\(source)"])
        }
    }
}

extension String {
    /// Otherwise it is a path.
    fileprivate var isURL: Bool { hasPrefix("https://") || hasPrefix("http://") }
}

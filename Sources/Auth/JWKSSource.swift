import Bytes
internal import JSON
internal import Pacing

/// Decides when a provider's key set is fetched, which keys count meanwhile, and when the operator is alerted.
///
/// A machine: events go in with the time (since any fixed moment, monotonic), actions come out. Its rules:
/// - At most one fetch is under way.
/// - The last good set counts until it is `maximumStaleness` old, then none does: failing closed, after two alerts.
/// - An unknown `kid` causes a fetch, but at most one each `unknownKeySpacing`, however many such tokens arrive.
public struct JWKSSource: Sendable {
    public struct Settings: Equatable, Sendable {
        /// Between two fetches, when the provider names no `max-age`.
        public var refreshInterval: Duration = .seconds(600)
        /// What a provider's `max-age` is held to: under the lower it would be fetched for every few tokens, over the upper a
        /// withdrawn key would stay good for too long.
        public var refreshBounds: ClosedRange<Duration> = .seconds(60) ... .seconds(3_600)
        /// At least this between two fetches for unknown keys: anyone can send tokens with an invented `kid`.
        public var unknownKeySpacing: Duration = .seconds(30)
        /// How long a `kid` that the provider did not have is not asked for again.
        public var absentKeyLifetime: Duration = .seconds(60)
        /// Bound on the keys remembered as absent, and on those waiting for a fetch.
        public var absentKeyCapacity = 256
        /// After a failure; doubled at each further one.
        public var firstRetry: Duration = .seconds(1)
        public var longestRetry: Duration = .seconds(60)
        /// Age at which keys that could not be refreshed stop counting. Half of it earns an alert of its own.
        public var maximumStaleness: Duration = .seconds(86_400)

        public init() {}
    }

    public enum Event: Equatable, Sendable {
        /// Time has passed; see `nextWake`.
        case tick
        /// A token named this key, or none that fits (nil).
        case unknownKey(String?)
        /// The fetch that was asked for has ended.
        case fetched(Outcome)
    }

    public enum Outcome: Equatable, Sendable {
        /// - Parameter maxAge: from the answer's `Cache-Control`, if there was one.
        case keys(KeySet, maxAge: Duration?)
        case failed(FetchFailure)
    }

    public enum FetchFailure: Error, Equatable, Sendable {
        /// No answer: refused, timed out, TLS, too large.
        case unreachable(String)
        case status(Int)
        case unusable(KeySetFailure)
    }

    public enum Action: Equatable, Sendable {
        case fetch
        /// These keys count from now on; also sent unchanged when someone waits for a key that the provider does not have.
        case publish(KeySet)
        /// The provider did not have this key at the last fetch, so a token that waits for it is refused now.
        case absent(String?)
        case alert(Alert)
    }

    /// A change worth an operator's eye; each is sent once, when it begins.
    public enum Alert: Equatable, Sendable {
        /// Nothing was ever fetched, so no token can be accepted.
        case noKeysYet(FetchFailure)
        /// The last good set still counts.
        case refreshFailing(FetchFailure)
        /// Half of the maximum staleness is over.
        case stale(age: Duration)
        /// The last good set is too old: no token is accepted any more.
        case failedClosed(age: Duration)
        case recovered
    }

    private enum Condition: Comparable { case fresh, failing, stale, closed }

    private let settings: Settings
    private var keys: KeySet?
    private var lastSuccess: Duration?
    private var isFetching = false
    private var retry: Backoff
    private var nextRefresh: Duration
    private var unknownKeyFetchAllowed: Duration
    private var wantsUnknownKeyFetch = false
    /// Asked for since the last fetch ended.
    private var asked: Set<String?> = []
    /// Not at the provider, until the time given.
    private var absent: [String?: Duration] = [:]
    private var condition = Condition.fresh

    /// A `kid` longer than this is not worth remembering, or asking for.
    private static let longestKeyIDBytes = 256

    /// The first fetch is due at once.
    public init(settings: Settings = Settings(), now: Duration) {
        self.settings = settings
        retry = Backoff(first: settings.firstRetry, longest: settings.longestRetry, jitter: .none)
        nextRefresh = now
        unknownKeyFetchAllowed = now
    }

    public mutating func handle(_ event: Event, at now: Duration) -> [Action] {
        switch event {
        case .tick: ageing(at: now) + dueFetch(at: now)
        case .unknownKey(let id): unknownKey(id, at: now)
        case .fetched(.keys(let keys, let maxAge)): fetched(keys, maxAge: maxAge, at: now)
        case .fetched(.failed(let failure)): failed(failure, at: now)
        }
    }

    /// When `tick` is worth calling next.
    public var nextWake: Duration {
        var wake = isFetching ? Duration.seconds(Int64.max / 4) : nextFetch
        if let lastSuccess, condition < .closed {
            wake = min(wake, lastSuccess + (condition < .stale ? warningAge : settings.maximumStaleness))
        }
        return wake
    }

    private var warningAge: Duration { settings.maximumStaleness / 2 }

    private var nextFetch: Duration {
        wantsUnknownKeyFetch ? min(nextRefresh, unknownKeyFetchAllowed) : nextRefresh
    }

    private mutating func dueFetch(at now: Duration) -> [Action] {
        guard !isFetching, now >= nextFetch else { return [] }
        return startFetch(at: now)
    }

    private mutating func startFetch(at now: Duration) -> [Action] {
        isFetching = true
        wantsUnknownKeyFetch = false
        // Any fetch answers the question, so it counts against the rate of those.
        unknownKeyFetchAllowed = now + settings.unknownKeySpacing
        return [.fetch]
    }

    private mutating func unknownKey(_ id: String?, at now: Duration) -> [Action] {
        if let keys, keys.answers(id) { return [.publish(keys)] }
        guard (id?.utf8.count ?? 0) <= Self.longestKeyIDBytes else { return [.absent(id)] }
        if let until = absent[id] {
            guard now >= until else { return [.absent(id)] }
            absent[id] = nil
        }
        if asked.count < settings.absentKeyCapacity { asked.insert(id) }
        guard !isFetching else { return [] }
        guard now >= unknownKeyFetchAllowed else {
            wantsUnknownKeyFetch = true
            return []
        }
        return startFetch(at: now)
    }

    private mutating func fetched(_ new: KeySet, maxAge: Duration?, at now: Duration) -> [Action] {
        isFetching = false
        retry.succeeded()
        let interval = maxAge.map { min(max($0, settings.refreshBounds.lowerBound), settings.refreshBounds.upperBound) }
        nextRefresh = now + (interval ?? settings.refreshInterval)
        lastSuccess = now

        var actions: [Action] = []
        if new != keys || condition == .closed || !asked.isEmpty { actions.append(.publish(new)) }
        keys = new
        remember(absent: asked.filter { !new.answers($0) }, at: now)
        asked.removeAll()
        if condition != .fresh { actions.append(.alert(.recovered)) }
        condition = .fresh
        return actions
    }

    private mutating func failed(_ failure: FetchFailure, at now: Duration) -> [Action] {
        isFetching = false
        nextRefresh = now + retry.next()
        // Those who wait give up by themselves; the question may be asked again.
        asked.removeAll()
        guard condition == .fresh else { return ageing(at: now) }
        condition = .failing
        return [.alert(keys == nil ? .noKeysYet(failure) : .refreshFailing(failure))] + ageing(at: now)
    }

    private mutating func ageing(at now: Duration) -> [Action] {
        guard let lastSuccess else { return [] }
        let age = now - lastSuccess
        if age >= settings.maximumStaleness, condition < .closed {
            condition = .closed
            keys = .empty
            return [.publish(.empty), .alert(.failedClosed(age: age))]
        }
        if age >= warningAge, condition < .stale {
            condition = .stale
            return [.alert(.stale(age: age))]
        }
        return []
    }

    private mutating func remember(absent ids: Set<String?>, at now: Duration) {
        absent = absent.filter { $0.value > now }
        for id in ids where absent.count < settings.absentKeyCapacity {
            absent[id] = now + settings.absentKeyLifetime
        }
    }
}

extension KeySet {
    /// Whether a token naming this key (or none) would no longer be refused for an unknown key.
    fileprivate func answers(_ id: String?) -> Bool {
        guard let id else { return false }
        return keys.contains { $0.id?.isSameText(as: id) == true }
    }
}

import Bytes
internal import JSON
internal import Pacing

/// Decides when a provider's key set is fetched, which keys count meanwhile, and when the operator is alerted.
///
/// A machine: events go in with the time (since any fixed moment, monotonic), actions come out. Its rules:
/// - At most one fetch is under way.
/// - The last good set counts until it is `maximumStaleness` old, then none does: failing closed, after two alerts.
/// - An unknown `kid` causes a fetch, but at most one each `unknownKeySpacing`, however many such tokens arrive. The time between a token and
///   a fetch that began after it is bounded by that, also when forged tokens came before.
public struct JWKSSource: Sendable {
    public struct Settings: Equatable, Sendable {
        /// Between two fetches, when the provider names no `max-age`.
        public var refreshInterval: Duration = .seconds(600)
        /// A provider's `max-age` shortens the interval, down to this. It does not lengthen it: a withdrawn key would stay good for longer
        /// than the operator said.
        public var shortestRefresh: Duration = .seconds(60)
        /// At least this between two fetches for unknown keys: anyone can send tokens with an invented `kid`. Short, because the token of
        /// a new key waits for as long when another token has caused the last fetch.
        public var unknownKeySpacing: Duration = .seconds(5)
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
        /// A token named this key, which is unknown, or none that fits (nil).
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
        /// - Parameter asOf: when their fetch began.
        case publish(KeySet, asOf: Duration)
        /// No key counts any more, though the provider has withdrawn none.
        case failClosed
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
    /// When the fetch of `keys` began.
    private var asOf = Duration.zero
    private var isFetching = false
    private var fetchStart = Duration.zero
    private var retry: Backoff
    private var nextRefresh: Duration
    private var unknownKeyFetchAllowed: Duration
    private var wantsUnknownKeyFetch = false
    /// Someone waits for a key.
    private var isAsked = false
    private var condition = Condition.fresh

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
        fetchStart = now
        wantsUnknownKeyFetch = false
        // Any fetch answers the question, so it counts against the rate of those.
        unknownKeyFetchAllowed = now + settings.unknownKeySpacing
        return [.fetch]
    }

    private mutating func unknownKey(_ id: String?, at now: Duration) -> [Action] {
        if let keys, keys.answers(id) { return [.publish(keys, asOf: asOf)] }
        isAsked = true
        // A fetch under way may have begun before the provider had the key.
        guard !isFetching, now >= unknownKeyFetchAllowed else {
            wantsUnknownKeyFetch = true
            return []
        }
        return startFetch(at: now)
    }

    private mutating func fetched(_ new: KeySet, maxAge: Duration?, at now: Duration) -> [Action] {
        isFetching = false
        retry.succeeded()
        nextRefresh = now + refreshInterval(maxAge: maxAge)
        lastSuccess = now
        asOf = fetchStart

        var actions: [Action] = []
        if new != keys || condition == .closed || isAsked { actions.append(.publish(new, asOf: asOf)) }
        keys = new
        isAsked = wantsUnknownKeyFetch
        if condition != .fresh { actions.append(.alert(.recovered)) }
        condition = .fresh
        return actions
    }

    private func refreshInterval(maxAge: Duration?) -> Duration {
        guard let maxAge else { return settings.refreshInterval }
        return min(max(maxAge, settings.shortestRefresh), settings.refreshInterval)
    }

    private mutating func failed(_ failure: FetchFailure, at now: Duration) -> [Action] {
        isFetching = false
        nextRefresh = now + retry.next()
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
            return [.failClosed, .alert(.failedClosed(age: age))]
        }
        if age >= warningAge, condition < .stale {
            condition = .stale
            return [.alert(.stale(age: age))]
        }
        return []
    }
}

extension KeySet {
    /// Whether a token naming this key (or none) would no longer be refused for an unknown key.
    fileprivate func answers(_ id: String?) -> Bool {
        guard let id else { return false }
        return keys.contains { $0.id?.isSameText(as: id) == true }
    }
}

/// Decides when a command gives a cluster up, and why, from the errors that the client reports while it tries.
public struct Unreachability: Sendable {
    /// The last error that says more than that no broker is left.
    public private(set) var reason: KafkaError?
    private var areAllDown = false
    private var isRefused = false
    private let start = ContinuousClock.now
    private let limit: Duration
    /// So long after the last broker failed, each of its addresses has been tried.
    private static let grace: Duration = .seconds(3)

    public init(within limit: Duration) { self.limit = limit }

    public mutating func hear(_ failure: KafkaError) {
        switch failure.name {
        case "_ALL_BROKERS_DOWN": areAllDown = true
        // Every broker gives the same answer to a wrong password or an unknown certificate.
        case "_AUTHENTICATION", "_SSL", "SASL_AUTHENTICATION_FAILED":
            reason = failure
            isRefused = true
        default:
            // What the client said about the certificate or the password explains more than the lost connection after it.
            if !isRefused { reason = failure }
        }
    }

    public var timeLeft: Duration { limit - (ContinuousClock.now - start) }

    public var isCertain: Bool {
        let waited = ContinuousClock.now - start
        return waited >= limit || isRefused || (areAllDown && waited >= min(Self.grace, limit))
    }
}

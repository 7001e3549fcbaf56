import Linux

/// Which parts the hub stands on are there: asked by `/readyz` and `/metrics`, answered by the parts themselves.
final class Health: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case store, kafka, deadLetters, keys, accepting

        package var reason: String {
            switch self {
            case .store: "PostgreSQL is away or starting"
            case .kafka: "Kafka is away"
            case .deadLetters: "the dead-letter topic (kafka.dead-letter-topic) cannot be written to"
            case .keys: "no keys to verify tokens with"
            case .accepting: "draining or starting"
            }
        }

        /// Clients can be served without Kafka: only new events wait, in Kafka itself. A balancer that took such nodes
        /// away would turn its outage into the hub's. The same goes for its topics.
        var isNeededByClients: Bool {
            switch self {
            case .store, .keys, .accepting: true
            case .kafka, .deadLetters: false
            }
        }
    }

    enum Readiness: Equatable {
        /// Clients can connect, though these may be missing.
        case ready(without: [String])
        /// What clients need and whatever else is missing.
        case notReady([String])
    }

    private let checks: Locked<[Part: @Sendable () -> Bool]> = Locked([:])

    /// Says how a part is asked. A part nobody answers for is missing.
    func watch(_ part: Part, _ isUp: @escaping @Sendable () -> Bool) { checks.withLock { $0[part] = isUp } }

    func isUp(_ part: Part) -> Bool { checks.withLock { $0[part] }?() ?? false }

    var readiness: Readiness {
        let missing = Part.allCases.filter { !isUp($0) }
        let reasons = missing.map(\.reason)
        return missing.contains(where: \.isNeededByClients) ? .notReady(reasons) : .ready(without: reasons)
    }
}

import Linux

/// Which parts the hub stands on are there: asked by `/readyz` and `/metrics`, answered by the parts themselves.
final class Health: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case store, kafka, keys, accepting

        var reason: String {
            switch self {
            case .store: "PostgreSQL is away or starting"
            case .kafka: "Kafka is away"
            case .keys: "no keys to verify tokens with"
            case .accepting: "draining or starting"
            }
        }
    }

    enum Readiness: Equatable {
        case ready
        case notReady([String])
    }

    private let checks: Locked<[Part: @Sendable () -> Bool]> = Locked([:])

    /// Says how a part is asked. A part nobody answers for is missing.
    func watch(_ part: Part, _ isUp: @escaping @Sendable () -> Bool) { checks.withLock { $0[part] = isUp } }

    func isUp(_ part: Part) -> Bool { checks.withLock { $0[part] }?() ?? false }

    var readiness: Readiness {
        let reasons = Part.allCases.filter { !isUp($0) }.map(\.reason)
        return reasons.isEmpty ? .ready : .notReady(reasons)
    }
}

import Synchronization

/// Which parts the hub stands on are there. Written by their threads, read by `/readyz` and `/metrics`.
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

    private let missing = Atomic<Int>((1 << Part.allCases.count) - 1)

    func set(_ part: Part, _ isUp: Bool) {
        let bit = 1 << part.rawValue
        if isUp {
            missing.bitwiseAnd(~bit, ordering: .relaxed)
        } else {
            missing.bitwiseOr(bit, ordering: .relaxed)
        }
    }

    func isUp(_ part: Part) -> Bool { missing.load(ordering: .relaxed) & (1 << part.rawValue) == 0 }

    var readiness: Readiness {
        let reasons = Part.allCases.filter { !isUp($0) }.map(\.reason)
        return reasons.isEmpty ? .ready : .notReady(reasons)
    }
}

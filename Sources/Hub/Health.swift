import Linux

/// The state of the parts on which the hub depends, for `/readyz` and `/metrics`. Each part registers its own check.
final class Health: Sendable {
    enum Part: Int, CaseIterable, Sendable {
        case store, kafka, reading, deadLetters, keys, accepting

        package var reason: String {
            switch self {
            case .store: "PostgreSQL is away or starting"
            case .kafka: "Kafka is away"
            case .reading: "Kafka refuses the hub a topic or its group: a right (READ) is missing"
            case .deadLetters: "the dead-letter topic (kafka.dead-letter-topic) cannot be written to"
            case .keys: "no keys to verify tokens with"
            case .accepting: "draining or starting"
            }
        }

        /// The hub serves clients without Kafka; new events wait in Kafka. If a load balancer removed nodes without Kafka, its outage
        /// would become an outage of the hub.
        var isNeededByClients: Bool {
            switch self {
            case .store, .keys, .accepting: true
            case .kafka, .reading, .deadLetters: false
            }
        }
    }

    enum Readiness: Equatable {
        /// Clients can connect. The list contains the missing parts that clients do not need.
        case ready(without: [String])
        /// A part that clients need is missing. The list contains all missing parts.
        case notReady([String])
    }

    let threads: ThreadWatch
    private let checks: Locked<[Part: @Sendable () -> Bool]> = Locked([:])
    private let silentSources: Locked<@Sendable () -> [String]> = Locked { [] }

    init(threads: ThreadWatch = ThreadWatch()) { self.threads = threads }

    /// Registers the check of a part. A part without a check counts as missing.
    func watch(_ part: Part, _ isUp: @escaping @Sendable () -> Bool) { checks.withLock { $0[part] = isUp } }

    /// Registers how the silent sources of changes are found. Clients are served without them, so they keep no hub from being ready: all
    /// hubs would leave the load balancer at once, because a database of the platform rests.
    func watchSources(_ silent: @escaping @Sendable () -> [String]) { silentSources.withLock { $0 = silent } }

    func isUp(_ part: Part) -> Bool { checks.withLock { $0[part] }?() ?? false }

    var readiness: Readiness {
        let missing = Part.allCases.filter { !isUp($0) }
        let silent = threads.silent
        let sources = silentSources.withLock { $0 }().map { "source \($0) is silent: neither a change nor a heartbeat comes" }
        let reasons = missing.map(\.reason) + silent.map(\.reason) + sources
        return missing.contains(where: \.isNeededByClients) || !silent.isEmpty ? .notReady(reasons) : .ready(without: reasons)
    }

    /// Why only a restart helps. Empty while the process lives.
    var lost: [String] { threads.lost.map(\.reason) }
}

extension SilentThread {
    fileprivate var reason: String { "thread \(name) has not run for \(silence.components.seconds) s" }
}

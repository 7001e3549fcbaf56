import Reactor
import Transports

/// How many of the process's open files the clients' connections may take. The rest is for the store, Kafka, the keys, the log, and
/// questions about health: a hub that clients have filled up must not lose its database.
struct DescriptorBudget: Equatable {
    /// PostgreSQL 4, the keys 3, the log and the signals 4, Kafka 2 for each of some dozens of brokers, the embedded services 20.
    static let ofProcess = 128
    /// Listener, epoll, eventfd and ring of a loop, and what it accepts in a turn before it closes others for it.
    static let ofLoop = 4 + ServingLimits().connections.acceptsPerTurn

    /// Of all loops together.
    let connections: Int
    /// The limit of open files is smaller than the setting needs.
    let isCut: Bool

    /// - Parameter asked: `limits.connections`.
    init(asked: Int, descriptors: Int, loops: Int) {
        let reserved = Self.ofProcess + loops * (Self.ofLoop + ServingLimits().connections.reserve)
        // With so few open files nothing is right; a quarter keeps it working.
        let most = max(descriptors - reserved, descriptors / 4, loops)
        connections = min(asked, most)
        isCut = most < asked
    }
}

import Bus
import Linux
import Logging
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

/// A store on a database of its own, someone to ask it, and an ear on its bus.
final class StoreBench: Sendable {
    let address: String
    let bus = HeardBus()
    let store: Store
    let desk: AskingDesk

    /// - Parameter address: nil makes a database on the shared server.
    init(_ address: String? = nil, _ adjust: (inout StoreConfiguration) -> Void = { _ in }) throws {
        self.address = try address ?? PostgresCluster.shared.get().makeDatabase()
        var configuration = StoreConfiguration(address: self.address)
        adjust(&configuration)
        store = try Store(configuration: configuration, bus: bus, logger: Logger(label: "store") { _ in SwiftLogNoOpLogHandler() })
        desk = AskingDesk(store)
        try store.start()
    }

    deinit { store.stop() }

    /// Waits until the database answers. Until then the store says `.unavailable`.
    func ready() async throws -> StoreBench {
        try await until { store.state == .up }
        return self
    }

    func ask(_ request: StoreRequest, in epoch: Epoch? = nil) async -> StoreReply { await desk.ask([request], in: epoch)[0] }
    /// Handed in together; the replies in the same order.
    func ask(_ requests: [StoreRequest]) async -> [StoreReply] { await desk.ask(requests) }

    /// Rows of a query, every value as text.
    func query(_ sql: String) throws -> [[String?]] { try BlockingConnection(address, applicationName: "tests").execute(sql) }

    func cell(_ sql: String) throws -> String? { try query(sql).first?.first ?? nil }

    /// The channel's entries as (seq, source_id), by seq.
    func entries(_ channel: Channel) throws -> [String] {
        try query(
            """
            select e.seq || ':' || e.source_id from hub.entry e join hub.channel c on c.id = e.channel_id
            where c.name = '\(channel.storedName)' order by e.seq
            """
        ).compactMap { $0[0] }
    }
}

/// Submits orders and waits for what is delivered.
final class AskingDesk: StoreClient {
    private struct Group {
        var replies: [StoreReply?]
        var missing: Int
        let done: CheckedContinuation<[StoreReply], Never>
    }
    private struct Desk {
        var groups: [UInt64: Group] = [:]
        var nextGroup: UInt64 = 0
        var twice = 0
    }

    private let store: Store
    private let state = Locked(Desk())

    init(_ store: Store) { self.store = store }

    /// Outcomes for tokens that were answered already: must stay 0.
    var answeredTwice: Int { state.withLock { $0.twice } }

    func ask(_ requests: [StoreRequest], in epoch: Epoch? = nil) async -> [StoreReply] {
        if requests.isEmpty { return [] }
        return await withCheckedContinuation { done in
            let group = state.withLock { desk in
                desk.nextGroup += 1
                desk.groups[desk.nextGroup] = Group(
                    replies: Array(repeating: nil, count: requests.count), missing: requests.count, done: done)
                return desk.nextGroup
            }
            let orders = requests.enumerated().map { index, request in
                StoreOrder(request: request, client: self, token: group << 24 | UInt64(index), epoch: epoch)
            }
            if !store.submit(orders) {
                deliver(orders.map { StoreOutcome(token: $0.token, reply: .failed(.unavailable)) })
            }
        }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        var finished: [Group] = []
        state.withLock { desk in
            for outcome in outcomes {
                let (number, index) = (outcome.token >> 24, Int(outcome.token & 0xFF_FFFF))
                guard var group = desk.groups[number], group.replies[index] == nil else {
                    desk.twice += 1
                    continue
                }
                group.replies[index] = outcome.reply
                group.missing -= 1
                desk.groups[number] = group.missing == 0 ? nil : group
                if group.missing == 0 { finished.append(group) }
            }
        }
        for group in finished { group.done.resume(returning: group.replies.compactMap { $0 }) }
    }
}

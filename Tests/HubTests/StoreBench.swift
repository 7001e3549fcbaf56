import Linux
import Logging
import Messaging
import Postgres
import Support
import Testing

@testable import Hub

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

    func ask(_ request: StoreRequest) async -> StoreReply { await desk.ask([request])[0] }
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

    func ask(_ requests: [StoreRequest]) async -> [StoreReply] {
        if requests.isEmpty { return [] }
        return await withCheckedContinuation { done in
            let group = state.withLock { desk in
                desk.nextGroup += 1
                desk.groups[desk.nextGroup] = Group(
                    replies: Array(repeating: nil, count: requests.count), missing: requests.count, done: done)
                return desk.nextGroup
            }
            let orders = requests.enumerated().map { index, request in
                StoreOrder(request: request, client: self, token: group << 24 | UInt64(index))
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

final class HeardBus: Bus {
    private let heard = Locked<[BusEvent]>([])
    func publish(_ events: [BusEvent]) { heard.withLock { $0.append(contentsOf: events) } }
    var events: [BusEvent] { heard.withLock { $0 } }
    func forget() { heard.withLock { $0.removeAll() } }

    /// `inbox:ann/3` for each entry heard.
    var entries: [String] {
        events.flatMap { event -> [String] in
            guard case .entries(let entries) = event else { return [] }
            return entries.map { "\($0.channel.storedName)/\($0.seq.rawValue)" }
        }
    }
}

// MARK: Shorthand

func user(_ name: String) throws -> UserID { try #require(UserID(name)) }
func inbox(_ name: String) throws -> Channel { .inbox(try user(name)) }

func draft(
    _ channel: Channel, _ id: String, source: String = "tests", sender: UserID? = nil, priority: EntryDraft.Priority = .normal,
    content: String = #""title":"t""#, expiresAt: Timestamp? = nil, receipt: Bool = false
) -> EntryDraft {
    EntryDraft(
        channel: channel, source: source, id: id, kind: sender == nil ? .notification : .message, eventType: "test", priority: priority,
        sender: sender, content: content, expiresAt: expiresAt, receiptRequired: receipt)
}

extension StoreReply {
    var stored: [StoredDraft]? {
        if case .stored(let drafts) = self { drafts } else { nil }
    }
    var seqs: [UInt64]? { stored?.map(\.seq.rawValue) }
    var moved: ChannelState? {
        if case .moved(let cursor, _) = self { cursor.state } else { nil }
    }
    var changed: Bool? {
        if case .moved(_, let changed) = self { changed } else { nil }
    }
    var state: ChannelState? {
        if case .state(let state) = self { state } else { nil }
    }
    var opened: ChannelState? {
        if case .opened(let state, _) = self { state } else { nil }
    }
    var snapshot: [ChannelState]? {
        if case .snapshot(let states, _) = self { states } else { nil }
    }
    var page: (entries: [Entry], head: UInt64, more: Bool)? {
        if case .page(let entries, let head, let more) = self { (entries, head.rawValue, more) } else { nil }
    }
}

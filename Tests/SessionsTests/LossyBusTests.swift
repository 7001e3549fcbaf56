import Bus
import HangGuard
import Messaging
import StoreAPI
import TestKit
import Testing

@testable import Sessions

@Suite("The sessions of several loops over a bus that loses, repeats and reorders", .guarded)
struct LossyBusTests {
    @Test(
        "a random run ends as over the bus in memory: each entry once and in order, with the store's counters",
        arguments: 0..<30 as Range<UInt64>)
    func sameEnd(seed: UInt64) async throws {
        let lossyBus = LossyBus(seed: seed, lossOneIn: 5)
        let lossy = try LoopsRun(lossyBus, seed: seed)
        try lossy.play(deliver: { lossyBus.deliver() }, reportLosses: lossyBus.reportLosses)
        while lossyBus.deliver() { lossy.turn() }
        lossyBus.reportLosses()
        try await lossy.settle()
        #expect(lossyBus.lost > 0 && lossyBus.repeated > 0 && lossyBus.reordered > 0)

        let direct = try LoopsRun(MemoryBus(), seed: seed)
        try direct.play(deliver: {}, reportLosses: {})
        try await direct.settle()

        #expect(lossy.ends == lossy.expectedEnds)
        #expect(lossy.ends == direct.ends)
    }

    @Test("events that were all lost are made up for after the report of the loss, and not before it", arguments: 0..<5 as Range<UInt64>)
    func reportIsNeeded(seed: UInt64) async throws {
        let bus = LossyBus(seed: seed, lossOneIn: 1)
        let run = try LoopsRun(bus, seed: seed)
        try run.play(deliver: {}, reportLosses: {})
        run.answerAll()
        #expect(run.ends.values.allSatisfy { $0.seqs.isEmpty })
        #expect(run.expectedEnds.values.contains { !$0.seqs.isEmpty })

        bus.reportLosses()
        try await run.settle()
        #expect(run.ends == run.expectedEnds)
    }
}

/// The store as it should be: every entry and cursor, and true answers to what a loop asks.
private final class TrueStore {
    private struct Place: Hashable {
        var user: UserID
        var channel: Channel
    }

    private var entries: [Channel: [Entry]] = [:]
    private var cursors: [Place: (read: UInt64, version: UInt64)] = [:]

    func head(_ channel: Channel) -> UInt64 { UInt64(entries[channel, default: []].count) }

    func append(_ channel: Channel, by author: UserID) -> Entry {
        let seq = head(channel) + 1
        let entry = Entry(
            seq: Seq(seq), createdAt: Timestamp(milliseconds: 0), draft: draft(channel, "\(seq)", sender: author))
        entries[channel, default: []].append(entry)
        return entry
    }

    func read(_ user: UserID, _ channel: Channel, upTo seq: UInt64) -> MovedCursor {
        let version = cursors[Place(user: user, channel: channel)]?.version ?? 0
        cursors[Place(user: user, channel: channel)] = (seq, version + 1)
        return MovedCursor(user, state(user, channel), isProgress: false, session: "another")
    }

    func state(_ user: UserID, _ channel: Channel) -> ChannelState {
        let (read, version) = cursors[Place(user: user, channel: channel)] ?? (0, 0)
        let unread = UInt32(entries[channel, default: []].count { $0.seq > Seq(read) && $0.draft.sender != user })
        return ChannelState(
            channel: channel, head: Seq(head(channel)), cursor: Cursor(delivered: Seq(read), seen: Seq(read), read: Seq(read)),
            counters: Counters(unread: unread, unseen: unread), cursorVersion: version)
    }

    func answer(_ request: StoreRequest) -> StoreReply {
        switch request {
        case .state(let user, let channel, entitled: _): return .state(state(user, channel))
        case .page(let channel, let after, before: _, let limit):
            // Short pages, so that it takes several.
            let rest = entries[channel, default: []].filter { $0.seq > after ?? .zero }
            let page = rest.prefix(min(limit, 3))
            return .page(Array(page), head: Seq(head(channel)), more: rest.count > page.count)
        default: return .failed(.refused("not asked for in this run"))
        }
    }
}

/// Two loops with two sessions each, one bus, one store, and a script that depends on the seed alone.
private final class LoopsRun {
    private struct Client {
        var bench: SessionBench
        var key: SessionID
        var user: UserID
        var channels: [Channel]
    }

    /// What one session was sent of one channel, and its counters.
    struct End: Equatable {
        var seqs: [UInt64]
        var counters: Counters
    }

    private let bus: any Bus
    private let store = TrueStore()
    private let benches: [SessionBench]
    private var clients: [Client] = []
    private let users: [UserID]
    private let channels: [Channel]
    private var script: SeededRandom
    /// Which order is answered next must not change the script.
    private var chance: SeededRandom
    private var open: [(bench: SessionBench, order: StoreOrder)] = []

    init(_ bus: any Bus, seed: UInt64) throws {
        self.bus = bus
        script = SeededRandom(seed: seed)
        chance = SeededRandom(seed: ~seed)
        users = [try user("ann"), try user("bob"), try user("cat")]
        let shared = [SessionLoopTests.system, SessionLoopTests.secret]
        channels = shared + users.map { .inbox($0) }
        benches = [
            try SessionBench { $0.storeRetry = .zero },
            try SessionBench { $0.storeRetry = .zero },
        ]
        for (bench, user) in [(0, 0), (0, 1), (1, 0), (1, 2)] {
            let followed = [.inbox(users[user])] + shared
            let key = try benches[bench].connect(users[user].name, following: followed.map { ChannelState(channel: $0) })
            clients.append(Client(bench: benches[bench], key: key, user: users[user], channels: followed))
        }
        for bench in benches { bus.subscribe(bench.inbox) }
    }

    func turn() {
        for bench in benches {
            bench.turn()
            open += bench.store.take().map { (bench, $0) }
        }
    }

    func play(deliver: () -> Void, reportLosses: () -> Void) throws {
        for _ in 0..<120 {
            let channel = script.pick(channels)
            let user = script.pick(users)
            switch Int.random(in: 0..<5, using: &script) {
            case 0, 1:
                let fresh = (0..<Int.random(in: 1...3, using: &script)).map { _ in store.append(channel, by: user) }
                bus.publish(committed: [.entries(fresh)])
            case 2:
                let seq = UInt64.random(in: 0...store.head(channel), using: &script)
                bus.publish(committed: [.moved(store.read(user, channel, upTo: seq))])
            case 3: bus.publish(signals: [.typing(channel, user)])
            default: if script.chance(4) { reportLosses() }
            }
            for _ in 0..<Int.random(in: 0...6, using: &chance) { deliver() }
            turn()
            if chance.chance(2) { answerOne() }
        }
    }

    private func answerOne() {
        guard !open.isEmpty else { return }
        let (bench, order) = open.remove(at: Int.random(in: open.indices, using: &chance))
        bench.answer(order, store.answer(order.request))
    }

    func answerAll() {
        turn()
        while !open.isEmpty {
            answerOne()
            turn()
        }
    }

    /// Answers all that is asked until the loops have what they should, or do not get there.
    func settle() async throws {
        var rounds = 0
        try await until {
            rounds += 1
            answerAll()
            return ends == expectedEnds || rounds > 1_000
        }
    }

    var ends: [String: End] {
        collect { client, channel in
            let beginning = #"{"type":"entry","channel":"\#(channel.wireName)","seq":"#
            let seqs = client.bench.clients.texts(client.key).flatMap { $0.split(separator: "\n") }
                .filter { $0.hasPrefix(beginning) }
                .compactMap { UInt64($0.dropFirst(beginning.count).prefix { $0.isNumber }) }
            return End(seqs: seqs, counters: counters(client, channel))
        }
    }

    var expectedEnds: [String: End] {
        collect { client, channel in
            End(seqs: Array((0..<store.head(channel)).map { $0 + 1 }), counters: store.state(client.user, channel).counters)
        }
    }

    private func collect(_ end: (Client, Channel) -> End) -> [String: End] {
        var ends: [String: End] = [:]
        for (number, client) in clients.enumerated() {
            for channel in client.channels { ends["session \(number), \(channel.storedName)"] = end(client, channel) }
        }
        return ends
    }

    /// What the loop counts for the session, whether it was told already or not.
    private func counters(_ client: Client, _ channel: Channel) -> Counters {
        let sessions = client.bench.sessions
        guard let subscription = sessions.state.table[client.key]?.session.following(channel) else { return Counters() }
        return sessions.state.fanOut.subscriber(subscription)?.counters ?? Counters()
    }
}

import Bus
import HangGuard
import Linux
import Messaging
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(3)), .guarded) struct StoreCursorTests {
    private let ann: UserID
    private let channel: Channel
    private let bench: StoreBench

    init() async throws {
        bench = try await StoreBench().ready()
        ann = try user("ann")
        channel = .inbox(ann)
    }

    private func store(_ count: Int, _ make: (EntryDraft, Int) -> EntryDraft = { draft, _ in draft }) async {
        let drafts = (1...count).map { make(draft(channel, "\($0)"), $0) }
        #expect(await bench.ask(.ingest(drafts, [])).stored?.count == count)
    }

    private func move(_ change: CursorChange, session: String = "s1") async throws -> ChannelState {
        try #require(await bench.ask(.move(ann, channel, change, session: session)).moved)
    }

    @Test func cursorsOnlyMoveForward() async throws {
        await store(10)
        #expect(try await move(.delivered(Seq(6))).cursor == Cursor(delivered: Seq(6)))
        #expect(try await move(.delivered(Seq(3))).cursor == Cursor(delivered: Seq(6)))
        #expect(try await move(.seen(Seq(4))).cursor == Cursor(delivered: Seq(6), seen: Seq(4)))
        #expect(try await move(.seen(Seq(2))).cursor.seen == Seq(4))
        #expect(try await move(.read(.upTo(Seq(3)))).cursor.read == Seq(3))
        #expect(try await move(.read(.upTo(Seq(1)))).cursor.read == Seq(3))
    }

    @Test func cursorsCannotPassTheNewestEntry() async throws {
        await store(4)
        let state = try await move(.delivered(Seq(.max)))
        #expect(state.cursor.delivered == Seq(4))
        #expect(try await move(.read(.set([Seq(3), Seq(9), Seq(.max), Seq(0)]))).cursor.readAlso == [3...3])
        #expect(try await move(.read(.upTo(Seq(.max)))).cursor == Cursor(delivered: Seq(4), seen: Seq(4), read: Seq(4)))
        await store(5)
        #expect(try await move(.unread([])).counters.unread == 1, "an entry that came later is not read")
    }

    @Test func readImpliesSeenAndSeenImpliesDelivered() async throws {
        await store(9)
        #expect(try await move(.seen(Seq(2))).cursor == Cursor(delivered: Seq(2), seen: Seq(2)))
        #expect(try await move(.read(.upTo(Seq(5)))).cursor == Cursor(delivered: Seq(5), seen: Seq(5), read: Seq(5)))
        #expect(
            try await move(.read(.set([Seq(8)]))).cursor == Cursor(delivered: Seq(5), seen: Seq(5), read: Seq(5), readAlso: [8...8]),
            "one of them says nothing of those before it")
    }

    @Test func entriesReadOneByOneJoinTheCumulativePart() async throws {
        await store(8)
        #expect(try await move(.read(.set([Seq(2), Seq(3), Seq(6)]))).cursor == Cursor(readAlso: [2...3, 6...6]))
        let joined = try await move(.read(.set([Seq(1)])))
        #expect(joined.cursor.read == Seq(3))
        #expect(joined.cursor.readAlso == [6...6])
        #expect(joined.counters == Counters(unread: 4, unseen: 4))
        let reopened = try await move(.unread([Seq(2), Seq(6)]))
        #expect(reopened.cursor.read == Seq(1))
        #expect(reopened.cursor.readAlso == [3...3])
        #expect(reopened.counters.unread == 6)
        let all = try await move(.read(.upTo(Seq(.max))))
        #expect(all.cursor.read == Seq(8) && all.cursor.readAlso.isEmpty)
        #expect(all.counters == Counters())
    }

    @Test func rangesReadOutOfOrderAreLimited() async throws {
        await store(2_200)
        let everySecond = stride(from: UInt64(2), through: 2_000, by: 2).map { Seq($0) }
        let full = try await move(.read(.set(everySecond)))
        #expect(full.cursor.readAlso.count == Cursor.mostRanges)
        let replies = await bench.ask([
            .move(ann, channel, .read(.set([Seq(2_100)])), session: "s1"), .move(ann, channel, .delivered(Seq(2_050)), session: "s2"),
        ])
        #expect(replies[0] == .failed(.tooScattered))
        #expect(replies[1].moved?.cursor.delivered == Seq(2_050))
        #expect(replies[1].moved?.cursor.readAlso == full.cursor.readAlso)
        #expect(await bench.ask(.move(ann, channel, .unread([Seq(2_000), Seq(2)]), session: "s1")).changed == true)
        #expect(try await move(.read(.set([Seq(2_100)]))).cursor.readAlso.count == Cursor.mostRanges - 1)
        #expect(try await move(.read(.upTo(Seq(1_999)))).cursor.readAlso == [2_100...2_100])
    }

    @Test func theVersionGrowsWithEachRealChangeOnly() async throws {
        await store(5)
        var versions: [UInt64] = []
        for change in [
            CursorChange.delivered(Seq(2)), .delivered(Seq(2)), .delivered(Seq(1)), .read(.upTo(Seq(.max))), .read(.upTo(Seq(.max))),
            .unread([Seq(5)]),
        ] {
            versions.append(try await move(change).cursorVersion)
        }
        #expect(versions == [1, 1, 1, 2, 2, 3])
        #expect(bench.bus.events.count { if case .moved = $0 { true } else { false } } == 3)
    }

    @Test func otherMembersAreToldOfDeliveredAndReadEntries() async throws {
        await store(8)
        bench.bus.forget()
        func told(_ change: CursorChange) async throws -> Bool? {
            bench.bus.forget()
            _ = try await move(change)
            guard case .moved(let cursor)? = bench.bus.events.first else { return nil }
            return cursor.isProgress
        }
        #expect(try await told(.seen(Seq(3))) == true, "what is seen was delivered")
        #expect(try await told(.delivered(Seq(5))) == true)
        #expect(try await told(.seen(Seq(4))) == false, "seen is the user's own business")
        #expect(try await told(.read(.set([Seq(2)]))) == false, "nothing is read up to somewhere")
        #expect(try await told(.read(.upTo(Seq(1)))) == true)
        #expect(try await told(.unread([Seq(1)])) == false)
        #expect(try await told(.delivered(Seq(5))) == nil)
    }

    @Test func ordersOfOneBatchAreOneMoveAndEachIsAnswered() async throws {
        await store(50)
        bench.bus.forget()
        let acks = (1...50).map { StoreRequest.move(ann, channel, .delivered(Seq(UInt64(51 - $0))), session: $0 % 2 == 0 ? "even" : "odd") }
        let replies = await bench.ask(acks)
        #expect(replies.allSatisfy { $0.moved?.cursor.delivered == Seq(50) && $0.changed == true })
        let told = bench.bus.events.compactMap { event -> String? in
            guard case .moved(let cursor) = event, cursor.state.cursor.delivered == Seq(50) else { return nil }
            return cursor.session
        }
        #expect(told.sorted() == ["even", "odd"])
    }

    @Test func aBatchAppliesReadsAndUnreadsInTheirOrder() async throws {
        await store(5)
        let replies = await bench.ask([
            .move(ann, channel, .unread([Seq(1)]), session: "s"), .move(ann, channel, .read(.upTo(Seq(4))), session: "s"),
            .move(ann, channel, .unread([Seq(2)]), session: "s"), .move(ann, channel, .read(.set([Seq(5)])), session: "s"),
            .move(ann, channel, .unread([Seq(3)]), session: "s"),
        ])
        #expect(replies.last?.moved?.cursor == Cursor(delivered: Seq(4), seen: Seq(4), read: Seq(1), readAlso: [4...5]))
    }

    @Test func onlyEntriesThatConcernTheUserAreCounted() async throws {
        let now = Timestamp(milliseconds: WallClock.now())
        let ann = ann
        await store(8) { draft, n in
            var draft = draft
            if n == 2 { draft.sender = ann }
            if n == 3 { draft.expiresAt = Timestamp(milliseconds: now.milliseconds - 1_000) }
            if n == 4 { draft.priority = .critical }
            if n == 5 { draft.priority = .high }
            if n == 6 { draft.priority = .low }
            return draft
        }
        _ = try bench.query("update hub.entry set retracted_at = now() where seq = 8")
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.counters == Counters(unread: 5, unseen: 5, urgent: 2))
        #expect(try await move(.seen(Seq(4))).counters == Counters(unread: 5, unseen: 3, urgent: 2))
        #expect(try await move(.read(.set([Seq(5), Seq(6)]))).counters == Counters(unread: 3, unseen: 1, urgent: 1))
    }

    @Test func anEntryThatExpiresStopsCounting() async throws {
        await store(3) { draft, n in
            var draft = draft
            if n == 2 { draft.expiresAt = Timestamp(milliseconds: WallClock.now() + 3_600_000) }
            return draft
        }
        let expiry = try #require(await bench.ask(.state(ann, channel, entitled: false)).state?.nextExpiry)
        #expect(abs(expiry.milliseconds - WallClock.now() - 3_600_000) < 60_000)
        let moved = try await move(.delivered(Seq(1)))
        #expect(moved.counters.unread == 3 && moved.nextExpiry == expiry)
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.nextExpiry == expiry, "kept in the row")
        // An hour passes.
        _ = try bench.query(
            """
            update hub.entry set expires_at = expires_at - interval '1 hour';
            update hub.cursor set recount_at = recount_at - interval '1 hour'
            """)
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.counters.unread == 2)
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.nextExpiry == nil)
        #expect(try await move(.delivered(Seq(2))).counters.unread == 2)
        #expect(await bench.ask(.state(ann, channel, entitled: false)).state?.counters.unread == 2)
    }

    @Test func formalNoticesGetReceipts() async throws {
        let ann = ann
        await store(6) { draft, n in
            var draft = draft
            draft.receiptRequired = n % 2 == 0
            if n == 6 { draft.sender = ann }
            return draft
        }
        func receipts() throws -> [[String?]] {
            try bench.query(
                "select seq, session, read_session, delivered_at is not null, read_at is not null from hub.receipt order by seq")
        }
        _ = try await move(.delivered(Seq(1)))
        #expect(try receipts().isEmpty)
        _ = try await move(.delivered(Seq(3)), session: "phone")
        #expect(try receipts() == [["2", "phone", nil, "t", "f"]])
        _ = try await move(.read(.set([Seq(2), Seq(4)])), session: "desk")
        #expect(try receipts() == [["2", "phone", "desk", "t", "t"], ["4", "desk", "desk", "t", "t"]])
        let before = try bench.query("select * from hub.receipt order by seq")
        _ = try await move(.unread([Seq(2)]), session: "other")
        _ = try await move(.read(.upTo(Seq(.max))), session: "third")
        #expect(try bench.query("select * from hub.receipt order by seq") == before, "what was recorded stays")
    }

    /// Random moves of two stores on one database, several orders at a time, against a model that knows sets only.
    @Test(arguments: [1, 2, 3]) func aRandomHistoryAgreesWithAModel(seed: UInt64) async throws {
        let other = try await StoreBench(bench.address).ready()
        var dice = Dice(seed: seed)
        var model = CursorModel(user: ann)
        for round in 0..<120 {
            if dice.next(below: 4) == 0 {
                let drafts = (0..<dice.next(below: 4)).map { n in
                    draft(
                        channel, "\(round)-\(n)", sender: dice.next(below: 5) == 0 ? ann : nil,
                        priority: dice.next(below: 3) == 0 ? .high : .normal)
                }
                model.entries += drafts
                _ = await bench.ask(.ingest(drafts, []))
            }
            let changes = (0...dice.next(below: 3)).map { _ in dice.change(head: model.entries.count) }
            for change in changes { model.apply(change) }
            let asked = dice.next(below: 2) == 0 ? bench : other
            let replies = await asked.ask(changes.map { .move(ann, channel, $0, session: "s") })
            // Acks go a way of their own, so the last of the orders is not always the last to be carried out.
            let state = try #require(replies.compactMap(\.moved).max { $0.cursorVersion < $1.cursorVersion })
            #expect(state.cursor == model.cursor, "seed \(seed), round \(round): \(changes)")
            #expect(state.counters == model.counters, "seed \(seed), round \(round): \(changes)")
            #expect(state.head == Seq(UInt64(model.entries.count)))
            let looked = try #require(await other.ask(.state(ann, channel, entitled: false)).state)
            #expect(looked.cursor == model.cursor && looked.counters == model.counters, "seed \(seed), round \(round)")
        }
    }
}

/// What the cursor and its counters are, said with sets.
private struct CursorModel {
    let user: UserID
    var entries: [EntryDraft] = []
    var delivered = 0
    var seen = 0
    var read: Set<Int> = []

    init(user: UserID) { self.user = user }

    mutating func apply(_ change: CursorChange) {
        let all = Set(1..<entries.count + 1)
        func bounded(_ seq: Seq) -> Int { Int(min(seq.rawValue, UInt64(entries.count))) }
        switch change {
        case .delivered(let seq): delivered = max(delivered, bounded(seq))
        case .seen(let seq): seen = max(seen, bounded(seq))
        case .read(.upTo(let seq)):
            read.formUnion(all.filter { $0 <= bounded(seq) })
            seen = max(seen, bounded(seq))
        case .read(.set(let seqs)): read.formUnion(all.intersection(seqs.map { Int(clamping: $0.rawValue) }))
        case .unread(let seqs): read.subtract(seqs.map { Int(clamping: $0.rawValue) })
        }
        absorbOwn()
        seen = max(seen, cumulative)
        delivered = max(delivered, seen)
    }

    /// Own entries below the last one read become read where they touch one that is read, or begin the channel.
    private mutating func absorbOwn() {
        let own = Set(entries.indices.filter { entries[$0].sender == user }.map { $0 + 1 })
        let last = read.max() ?? 0
        var run: [Int] = []
        var touches = true
        for seq in 1..<max(last, 1) {
            if read.contains(seq) || own.contains(seq) {
                run.append(seq)
                touches = touches || read.contains(seq)
            } else {
                if touches { read.formUnion(run) }
                (run, touches) = ([], false)
            }
        }
        read.formUnion(run)
    }

    private var cumulative: Int { (1...).first { !read.contains($0) }! - 1 }

    var cursor: Cursor {
        var ranges: [ClosedRange<UInt64>] = []
        for seq in read.sorted() where seq > cumulative {
            if let last = ranges.last, last.upperBound + 1 == UInt64(seq) {
                ranges[ranges.count - 1] = last.lowerBound...UInt64(seq)
            } else {
                ranges.append(UInt64(seq)...UInt64(seq))
            }
        }
        return Cursor(delivered: Seq(UInt64(delivered)), seen: Seq(UInt64(seen)), read: Seq(UInt64(cumulative)), readAlso: ranges)
    }

    var counters: Counters {
        let unread = entries.indices.filter { entries[$0].sender != user && !read.contains($0 + 1) }
        return Counters(
            unread: UInt32(unread.count), unseen: UInt32(unread.count { $0 + 1 > seen }),
            urgent: UInt32(unread.count { entries[$0].priority == .high }))
    }
}

/// SplitMix64: the same seed, the same history.
private struct Dice {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((z ^ (z >> 31)) % UInt64(bound))
    }

    mutating func change(head: Int) -> CursorChange {
        func seq() -> Seq { Seq(UInt64(next(below: head + 3))) }
        func seqs() -> [Seq] { (0...next(below: 4)).map { _ in seq() } }
        switch next(below: 8) {
        case 0, 1: return .delivered(seq())
        case 2: return .seen(seq())
        case 3: return .read(.upTo(Seq(UInt64(next(below: head / 2 + 2)))))
        case 4, 5: return .read(.set(seqs()))
        case 6: return .unread(seqs())
        default: return next(below: 6) == 0 ? .read(.upTo(Seq(.max))) : .unread([seq()])
        }
    }
}

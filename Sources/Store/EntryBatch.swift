import Bus
import Messaging
import Postgres
import StoreAPI

/// `ingest` and `append` orders: entries stored in one transaction with the positions they came from.
struct EntryBatch: Batch {
    private struct Draft {
        let order: Int
        let membersOnly: Bool
        let draft: EntryDraft
    }
    private struct Partition: Hashable {
        let topic: ByteText
        let number: Int32
    }

    private let orders: [PendingOrder]
    private var drafts: [Draft] = []
    /// Of several orders for one partition the last counts.
    private var positions: [Partition: Int64] = [:]

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for (index, pending) in orders.enumerated() {
            switch pending.order.request {
            case .ingest(let ingested, let reached):
                for draft in ingested { drafts.append(Draft(order: index, membersOnly: false, draft: draft)) }
                for position in reached {
                    positions[Partition(topic: ByteText(position.topic), number: position.partition)] = position.offset
                }
            case .append(let draft):
                drafts.append(Draft(order: index, membersOnly: true, draft: draft))
            case .open, .snapshot, .conversations, .state, .page, .move:
                assertionFailure("not an entry order")
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var channels = Parameters()
        var named: Set<Channel> = []
        channels.texts { texts in for draft in drafts where named.insert(draft.draft.channel).inserted { texts.add(draft.draft.channel) } }

        var entries = Parameters()
        entries.append(drafts.map(\.membersOnly))
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.channel) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.source) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.id) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.kind.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.eventType) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.priority.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.form.rawValue) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.sender?.name) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.content) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.group) } }
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.collapse) } }
        entries.append(drafts.map(\.draft.expiresAt?.stored))
        entries.append(drafts.map(\.draft.receiptRequired))
        entries.texts { texts in for draft in drafts { texts.add(draft.draft.trace) } }
        entries.append(drafts.map { $0.draft.replyTo?.stored })

        var reached = Parameters()
        let positions = Array(positions)
        reached.append(positions.map(\.key.topic.text))
        reached.append(positions.map(\.key.number))
        reached.append(positions.map { Optional($0.value) })

        return [(.ensureChannels, channels), (.lockChannels, channels), (.storeEntries, entries), (.storePositions, reached)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 4, rows[2].count == drafts.count else { return nil }
        let stored = rows[2]
        var results = [[StoredDraft?]](repeating: [], count: orders.count)
        var isAnswer = [Bool](repeating: true, count: orders.count)
        var fresh: [Entry] = []
        for (row, draft) in drafts.enumerated() {
            guard let isAdmitted = stored.bool(row, 0), let answers = stored.bool(row, 4) else { return nil }
            guard isAdmitted else {
                results[draft.order].append(nil)
                isAnswer[draft.order] = answers
                continue
            }
            guard let seq = Seq(stored: stored.int64(row, 1)), let time = stored.time(row, 2), let isFresh = stored.bool(row, 3)
            else { return nil }
            let createdAt = Timestamp(time)
            results[draft.order].append(StoredDraft(seq: seq, createdAt: createdAt, duplicate: !isFresh))
            // A duplicate may be this very draft, committed before the connection broke and never announced.
            if isFresh || orders[draft.order].unsettled {
                fresh.append(Entry(seq: seq, createdAt: createdAt, draft: draft.draft))
            }
        }
        let replies = orders.indices.map { index -> StoreReply in
            let admitted = results[index].compactMap { $0 }
            if admitted.count == results[index].count { return .stored(admitted) }
            switch orders[index].order.request {
            case .append: return .failed(isAnswer[index] ? .forbidden : .noSuchEntry)
            case .ingest, .open, .snapshot, .conversations, .state, .page, .move: return .partlyStored(results[index])
            }
        }
        return BatchOutcome(events: fresh.isEmpty ? [] : [.entries(fresh)], replies: replies)
    }
}

extension TextElements {
    fileprivate mutating func add(_ channel: Channel) {
        let name = channel.storedParts
        add(name.prefix, name.name)
    }
}

/// Asks for the lock that one hub at a time has on a database.
struct ClaimBatch: Batch {
    var statements: [(statement: Statement, parameters: Parameters)] { [(.claim, Parameters())] }
    func outcome(of rows: [Rows]) -> BatchOutcome? { rows.first?.bool(0, 0) == nil ? nil : BatchOutcome(replies: []) }
}

/// Looks for entries whose transaction had an unknown end and that nobody waits for any more.
struct RecallBatch: Batch {
    let drafts: [EntryDraft]

    var statements: [(statement: Statement, parameters: Parameters)] {
        var keys = Parameters()
        keys.append(drafts.map(\.channel.storedName))
        keys.append(drafts.map(\.source))
        keys.append(drafts.map(\.id))
        return [(.recallEntries, keys)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let found = rows.first else { return nil }
        var entries: [Entry] = []
        for row in 0..<found.count {
            guard let place = found.int64(row, 0), place >= 1, place <= drafts.count,
                let seq = Seq(stored: found.int64(row, 1)), let time = found.time(row, 2)
            else { return nil }
            entries.append(Entry(seq: seq, createdAt: Timestamp(time), draft: drafts[Int(place) - 1]))
        }
        return BatchOutcome(events: entries.isEmpty ? [] : [.entries(entries)], replies: [])
    }
}

import Bus
import Messaging
import Postgres
import StoreAPI

/// `open` orders: the conversation of each pair, found or made.
struct ConversationBatch: Batch {
    private struct Pair: Hashable {
        let first: ByteText
        let second: ByteText
        let context: ByteText

        init(_ a: String, _ b: String, _ context: String) {
            let ordered = a.utf8.lexicographicallyPrecedes(b.utf8)
            first = ByteText(ordered ? a : b)
            second = ByteText(ordered ? b : a)
            self.context = ByteText(context)
        }
    }

    private let orders: [PendingOrder]
    private var openers: [UserID] = []
    private var others: [String] = []
    private var contexts: [String] = []
    private var limits: [Int] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for pending in orders {
            guard case .open(let opener, let other, let context, let most) = pending.order.request else {
                assertionFailure("not an open order")
                continue
            }
            openers.append(opener)
            others.append(other.name)
            contexts.append(context ?? "")
            limits.append(most)
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var pairs = Parameters()
        pairs.append(openers.map(\.name))
        pairs.append(others)
        pairs.append(contexts)
        var bounded = pairs
        bounded.append(limits.map { Int32(clamping: $0) })
        return [
            (.makeConversations, bounded), (.makeConversationChannels, pairs), (.makeMembers, pairs), (.conversationStates, pairs),
        ]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 4 else { return nil }
        var made: Set<Pair> = []
        for row in 0..<rows[0].count {
            guard let first = rows[0].text(row, 0), let second = rows[0].text(row, 1), let context = rows[0].text(row, 2) else {
                return nil
            }
            made.insert(Pair(first, second, context))
        }
        // Whoever is not found was not made.
        var outcome = BatchOutcome(replies: orders.map { _ in .failed(.tooManyConversations) })
        for row in 0..<rows[3].count {
            guard let place = rows[3].int32(row, 0), place >= 1, place <= orders.count,
                let channel = rows[3].text(row, 1).flatMap({ Channel(storedName: $0) }),
                let state = ChannelState(rows[3], row, channel: channel)
            else { return nil }
            let index = Int(place) - 1
            // Of several orders for a new pair the first has made it.
            let created = made.remove(Pair(openers[index].name, others[index], contexts[index])) != nil
            outcome.replies[index] = .opened(state, created: created)
            if created || orders[index].unsettled { outcome.events.append(.opened(state, by: openers[index])) }
        }
        return outcome
    }
}

import Messaging
import Postgres

/// `snapshot`, `conversations` and `state` orders.
struct StateBatch: Batch {
    private struct Question {
        let order: Int
        let user: UserID
        let channel: Channel
        let entitled: Bool
    }

    private let orders: [PendingOrder]
    private var questions: [Question] = []
    /// Of the channels a user is a member of.
    private struct Listing {
        let order: Int
        let user: UserID
        let most: Int
        var isOfConversations = false
        var before: Channel?
    }
    private var listings: [Listing] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for (index, pending) in orders.enumerated() {
            switch pending.order.request {
            case .snapshot(let user, let broadcasts, let asked, let most):
                questions.append(Question(order: index, user: user, channel: .inbox(user), entitled: true))
                for name in broadcasts {
                    questions.append(Question(order: index, user: user, channel: .broadcast(name), entitled: true))
                }
                for channel in asked { ask(index, user, channel, entitled: false) }
                listings.append(Listing(order: index, user: user, most: most))
            case .conversations(let user, let before, let most):
                listings.append(Listing(order: index, user: user, most: most, isOfConversations: true, before: before))
            case .state(let user, let channel, let entitled):
                ask(index, user, channel, entitled: entitled)
            case .ingest, .append, .open, .page, .move:
                assertionFailure("not a state order")
            }
        }
    }

    /// A membership row opens broadcasts and conversations; nothing opens another's inbox.
    private mutating func ask(_ order: Int, _ user: UserID, _ channel: Channel, entitled: Bool) {
        switch channel {
        case .inbox(let owner):
            guard ByteText(owner.name) == ByteText(user.name) else { return }
            questions.append(Question(order: order, user: user, channel: channel, entitled: true))
        case .broadcast: questions.append(Question(order: order, user: user, channel: channel, entitled: entitled))
        case .conversation: questions.append(Question(order: order, user: user, channel: channel, entitled: false))
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(questions.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(questions.map(\.user.name))
        parameters.append(questions.map(\.channel.storedName))
        parameters.append(questions.map(\.entitled))
        parameters.append(listings.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(listings.map(\.user.name))
        parameters.append(listings.map { Int32(clamping: $0.most) })
        parameters.append(listings.map(\.isOfConversations))
        parameters.append(listings.map { $0.before?.storedName })
        return [(.states, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var states = [[ChannelState]](repeating: [], count: orders.count)
        var hasMore = [Bool](repeating: false, count: orders.count)
        // Rows come by order.
        var current = 0
        var told: Set<Channel> = []
        for row in 0..<rows.count {
            guard let order = rows.int32(row, 0).map({ Int($0) }), orders.indices.contains(order), let name = rows.text(row, 1),
                let channel = Channel(storedName: name), let state = ChannelState(rows, row, channel: channel)
            else { return nil }
            if rows.bool(row, 15) == true { hasMore[order] = true }
            if order != current {
                current = order
                told.removeAll(keepingCapacity: true)
            }
            // A channel may be there twice, asked for and by membership; the asked ones come first.
            guard told.insert(channel).inserted else { continue }
            states[order].append(state)
        }
        return BatchOutcome(
            replies: orders.indices.map { index in
                switch orders[index].order.request {
                case .snapshot, .conversations: .snapshot(states[index], more: hasMore[index])
                case .ingest, .append, .open, .state, .page, .move:
                    states[index].first.map { .state($0) } ?? .failed(.forbidden)
                }
            })
    }
}

import Messaging
import Postgres
import StoreAPI

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
        parameters.append(joined: questions.map(\.channel.storedParts))
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
        // Rows come by order, in each as it was asked.
        var current = 0
        var told = ChannelIndex()
        var next = 0
        for row in 0..<rows.count {
            guard let order = rows.int32(row, 0).map({ Int($0) }), orders.indices.contains(order),
                let channel = asked(rows, row, order, from: &next) ?? rows.text(row, 1).flatMap({ Channel(storedName: $0) }),
                let state = ChannelState(rows, row, channel: channel)
            else { return nil }
            if rows.bool(row, 15) == true { hasMore[order] = true }
            if order != current {
                current = order
                told.removeAll()
            }
            // A channel may be there twice, asked for and by membership; the asked ones come first.
            guard told.insert(channel) else { continue }
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

    /// The channel of a row, if it is one of those its order asked for by name: then nothing has to be read or made.
    private func asked(_ rows: Rows, _ row: Int, _ order: Int, from next: inout Int) -> Channel? {
        while next < questions.count, questions[next].order < order { next += 1 }
        var place = next
        while place < questions.count, questions[place].order == order {
            let channel = questions[place].channel
            if rows.withBytes(row, 1, { channel.isNamed(inStore: $0) }) == true {
                next = place + 1
                return channel
            }
            place += 1
        }
        return nil
    }
}

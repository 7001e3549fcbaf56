import Messaging
import Postgres

/// `snapshot` and `state` orders.
struct StateBatch: Batch {
    private struct Question {
        let order: Int
        let user: UserID
        let channel: Channel
        let entitled: Bool
    }

    private let orders: [PendingOrder]
    private var questions: [Question] = []
    /// Orders that want every channel the user is a member of.
    private var everywhere: [(order: Int, user: UserID)] = []

    init(_ orders: [PendingOrder]) {
        self.orders = orders
        for (index, pending) in orders.enumerated() {
            switch pending.order.request {
            case .snapshot(let user, let broadcasts):
                questions.append(Question(order: index, user: user, channel: .inbox(user), entitled: true))
                for name in broadcasts {
                    questions.append(Question(order: index, user: user, channel: .broadcast(name), entitled: true))
                }
                everywhere.append((index, user))
            case .state(let user, let channel, let entitled):
                // A membership row opens broadcasts and conversations; nothing opens another's inbox.
                switch channel {
                case .inbox(let owner):
                    if ByteText(owner.name) == ByteText(user.name) {
                        questions.append(Question(order: index, user: user, channel: channel, entitled: true))
                    }
                case .broadcast: questions.append(Question(order: index, user: user, channel: channel, entitled: entitled))
                case .conversation: questions.append(Question(order: index, user: user, channel: channel, entitled: false))
                }
            case .ingest, .append, .open, .page, .move:
                assertionFailure("not a state order")
            }
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        parameters.append(questions.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(questions.map(\.user.name))
        parameters.append(questions.map(\.channel.storedName))
        parameters.append(questions.map(\.entitled))
        parameters.append(everywhere.map { Int32(truncatingIfNeeded: $0.order) })
        parameters.append(everywhere.map(\.user.name))
        return [(.states, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var states = [[ChannelState]](repeating: [], count: orders.count)
        for row in 0..<rows.count {
            guard let order = rows.int32(row, 0).map({ Int($0) }), orders.indices.contains(order), let name = rows.text(row, 1),
                let channel = Channel(storedName: name), let state = ChannelState(rows, row, channel: channel)
            else { return nil }
            // A broadcast may be there twice: by right and by membership. Rows of one order come with the asked ones first.
            if states[order].contains(where: { $0.channel == channel }) { continue }
            states[order].append(state)
        }
        return BatchOutcome(
            replies: orders.indices.map { index in
                switch orders[index].order.request {
                case .snapshot: .snapshot(states[index])
                case .ingest, .append, .open, .state, .page, .move:
                    states[index].first.map { .state($0) } ?? .failed(.forbidden)
                }
            })
    }
}

import Linux
import Messaging
import StoreAPI
import Synchronization
import Telemetry

/// Says every two seconds that this hub works on the database, and learns how many others do.
final class NodeBeat: StoreClient {
    static let interval: Duration = .seconds(2)

    private let front: StoreFront
    private let node: NodeIdentity
    private let isAsking = Atomic<Bool>(false)
    private let others = Atomic<Int>(0)

    init(_ front: StoreFront, node: NodeIdentity) {
        self.front = front
        self.node = node
    }

    var hasOthers: Bool { others.load(ordering: .relaxed) > 0 }

    func beat() {
        guard !isAsking.exchange(true, ordering: .relaxed) else { return }
        if !front.submit([StoreOrder(request: .beat(node), client: self, token: 0)]) { isAsking.store(false, ordering: .relaxed) }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            isAsking.store(false, ordering: .relaxed)
            guard case .nodes(let others) = outcome.reply else { continue }
            self.others.store(others, ordering: .relaxed)
            front.statistics.nodes.set(Int64(others + 1))
        }
    }
}

import Linux
import Messaging
import StoreAPI

/// Reads twice a second which memberships ended. The events are published with the reply, and end the following of living sessions.
///
/// A table that is read rather than NOTIFY: the table keeps what happened while the database was away, works through a pool of connections,
/// and takes no lock that all committing transactions share. An order of its own, so it waits for the database as all others do.
final class WithdrawalWatch: StoreClient {
    private struct Reading {
        var position = WithdrawalPosition.start
        var isAsking = false
    }

    private let front: StoreFront
    private let reading = Locked(Reading())

    init(_ front: StoreFront) { self.front = front }

    /// Asks for what is new, unless the last answer is still to come. A refusal is no harm: the position stays.
    func ask() {
        let position: WithdrawalPosition? = reading.withLock { reading in
            guard !reading.isAsking else { return nil }
            reading.isAsking = true
            return reading.position
        }
        guard let position else { return }
        if !front.submit([StoreOrder(request: .withdrawals(after: position), client: self, token: 0)]) {
            reading.withLock { $0.isAsking = false }
        }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        var isMore = false
        for outcome in outcomes {
            reading.withLock { reading in
                reading.isAsking = false
                guard case .withdrawals(let next) = outcome.reply else { return }
                reading.position = next
                isMore = next.isBetweenPages
            }
        }
        if isMore { ask() }
    }
}

import Linux
import Messaging
import StoreAPI

/// Looks twice a second which dates of rights have come, which memberships ended, and which fences were put up. The events are published with
/// the reply, and end the following and the sessions that they concern.
///
/// A table that is read rather than NOTIFY: the table keeps what happened while the database was away, works through a pool of connections,
/// and takes no lock that all committing transactions share. An order of its own, so it waits for the database as all others do.
final class WithdrawalWatch: StoreClient {
    private enum Table: UInt64, CaseIterable {
        case grants, withdrawals, fences
    }

    private struct Reading {
        var position = WithdrawalPosition.start
        var isAsking = false
    }

    private let front: StoreFront
    private let readings = Locked(Table.allCases.map { _ in Reading() })

    init(_ front: StoreFront) { self.front = front }

    /// Asks for what is new, unless the last answer is still to come. A refusal is no harm: the position stays.
    func ask() {
        for table in Table.allCases { ask(table) }
    }

    private func ask(_ table: Table) {
        let position: WithdrawalPosition? = readings.withLock { readings in
            guard !readings[Int(table.rawValue)].isAsking else { return nil }
            readings[Int(table.rawValue)].isAsking = true
            return readings[Int(table.rawValue)].position
        }
        guard let position else { return }
        let request: StoreRequest =
            switch table {
            case .grants: .settleAccess
            case .withdrawals: .withdrawals(after: position)
            case .fences: .fences(after: position)
            }
        if !front.submit([StoreOrder(request: request, client: self, token: table.rawValue)]) {
            readings.withLock { $0[Int(table.rawValue)].isAsking = false }
        }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            guard let table = Table(rawValue: outcome.token) else { continue }
            let isMore = readings.withLock { readings in
                readings[Int(table.rawValue)].isAsking = false
                switch outcome.reply {
                case .withdrawals(let next), .fences(let next):
                    readings[Int(table.rawValue)].position = next
                    return next.isBetweenPages
                case .accessSettled(let more): return more
                default: return false
                }
            }
            if isMore { ask(table) }
        }
    }
}

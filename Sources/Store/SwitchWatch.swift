import Linux
import Logging
import Messaging
import StoreAPI
import Telemetry

/// Reads twice a second, and when an operator knocks, which features are switched off, and passes the whole table on when it has changed.
///
/// A table that is read, as ended memberships are: it works without a bell and without Kafka, and is there after a restart. While it cannot be
/// read, what was read last counts.
final class SwitchWatch: StoreClient {
    private struct Reading {
        var isAsking = false
        /// Somebody knocked while an answer was awaited, which may not have what the knock is about.
        var isAskedAgain = false
        var passed: Switchboard?
        var hasFailed = false
    }

    private let front: StoreFront
    private let log: Logger
    private let reading = Locked(Reading())

    init(_ front: StoreFront, log: Logger) {
        self.front = front
        self.log = log
    }

    func ask(isKnock: Bool = false) {
        let isFree = reading.withLock { reading in
            guard !reading.isAsking else {
                if isKnock { reading.isAskedAgain = true }
                return false
            }
            reading.isAsking = true
            reading.isAskedAgain = false
            return true
        }
        guard isFree else { return }
        if !front.submit([StoreOrder(request: .switches, client: self, token: 0)]) { reading.withLock { $0.isAsking = false } }
    }

    func deliver(_ outcomes: [StoreOutcome]) {
        for outcome in outcomes {
            let isAskedAgain = reading.withLock { reading in
                reading.isAsking = false
                return reading.isAskedAgain
            }
            if case .switches(let board) = outcome.reply { pass(board) } else { failed(outcome.reply) }
            if isAskedAgain { ask() }
        }
    }

    private func pass(_ board: Switchboard) {
        // Without a reporter nobody would hear it: the next reading tells.
        guard let reporter = front.reporter else { return }
        let isNew = reading.withLock { reading in
            reading.hasFailed = false
            // A hub without switches has nothing to be told first.
            guard board != reading.passed ?? Switchboard() else { return false }
            reading.passed = board
            return true
        }
        guard isNew else { return }
        front.statistics.switches.set(Int64(board.count))
        if board.unknown > 0 {
            log.warning("switches that this version does not understand have no effect", metadata: ["count": "\(board.unknown)"])
        }
        reporter.switched(board)
    }

    /// Told once: the store tries again twice a second, and says itself when the database is away.
    private func failed(_ reply: StoreReply) {
        front.statistics.switchFailures.add()
        let isFirst = reading.withLock { reading in
            defer { reading.hasFailed = true }
            return !reading.hasFailed
        }
        if isFirst { log.warning("the switches cannot be read; those known count", metadata: ["reason": "\(reply)"]) }
    }
}

import Kafka
import Messaging
import Pacing

/// The question to the store how far the partitions are stored. At most one is open.
struct StoreCheck {
    /// The offsets that the database must have reached, as they were when it was asked. What is stored later does not count: the answer
    /// may be older.
    private var open: (token: UInt64, floors: [TopicPartition: Int64])?
    var isDue = false
    private var mustWait = false

    var mayAsk: Bool { isDue && !mustWait && open == nil }

    func isAsked(_ token: UInt64) -> Bool { open?.token == token }

    mutating func ask(_ token: UInt64, _ floors: [TopicPartition: Int64]) {
        isDue = false
        open = (token, floors)
    }

    /// It is asked again after the next tick.
    mutating func failed() {
        open = nil
        isDue = true
        mustWait = true
    }

    mutating func tick() { mustWait = false }

    mutating func takeFloors() -> [TopicPartition: Int64] {
        defer { open = nil }
        return open?.floors ?? [:]
    }
}

// A database that was restored from a backup, or a replica that was promoted before it had everything, lacks records that were stored
// and committed. They are read again, from where the database is. The store recognizes those that it has.

extension IntakeFlow {
    mutating func ask(_ actions: inout [Action]) {
        guard check.mayAsk, !isStopping else { return }
        guard !ledger.floors.isEmpty else {
            check.isDue = false
            return
        }
        lastToken += 1
        check.ask(lastToken, ledger.floors)
        actions.append(.check(token: lastToken, ledger.floors.keys.sorted()))
    }

    /// The answer to a question came.
    mutating func checked(_ reply: StoreReply, _ actions: inout [Action]) {
        guard case .positions(let positions) = reply else { return check.failed() }
        _ = goBack(floors: check.takeFloors(), positions, &actions)
    }

    /// The store took nothing of the request in flight. The records of the other partitions are submitted again.
    mutating func behind(_ positions: [IngestPosition], _ actions: inout [Action]) {
        let floors = ledger.floors
        let inFlight = Set(segments.first?.map(\.partition) ?? [])
        step = .idle
        if goBack(floors: floors.filter { inFlight.contains($0.key) }, positions, &actions) { return }
        // Another hub has a partition. As a rule the group is about to say so.
        contests += 1
        backoff.failed()
        backOff(&actions)
    }

    /// Returns to where the database is, in each partition that it does not have up to its floor.
    private mutating func goBack(
        floors: [TopicPartition: Int64], _ positions: [IngestPosition], _ actions: inout [Action]
    ) -> Bool {
        var reached: [TopicPartition: Int64] = [:]
        for position in positions { reached[TopicPartition(position.topic, position.partition)] = position.offset &+ 1 }
        let behind = floors.keys.sorted().filter { partition in
            guard let floor = floors[partition], let now = ledger.floors[partition] else { return false }
            return reached[partition, default: 0] < min(floor, now)
        }
        guard !behind.isEmpty else { return false }
        dropRecords(of: Set(behind))
        for partition in behind {
            let (next, floor) = (reached[partition, default: 0], ledger.floors[partition] ?? 0)
            ledger.goBack(partition, to: next)
            actions.append(.note(.behind(partition, from: next, to: floor)))
        }
        actions.append(.seek(behind.map { NextOffset($0, reached[$0, default: 0]) }))
        return true
    }

    /// Returning failed, because the client had not begun to read the partition. It is tried again.
    mutating func seek(_ actions: inout [Action]) {
        actions.append(.seek(ledger.returning.map { NextOffset($0.key, $0.value) }.sorted { $0.partition < $1.partition }))
    }
}

import Bus
import HangGuard
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

/// A lane's flow against a database that fails in every way.
@Suite(.guarded) struct LaneFlowRandomTests {
    /// Keeps the entries that were committed. A transaction may be committed although its connection breaks before the answer.
    private struct MockDatabase {
        var random: SeededRandom
        private(set) var committed: Set<String> = []
        var isWell = false

        private static let ofDatabase = ["40001", "40P01", "53300", "57014", "42P01", "25006"]
        private static let ofData = ["22000", "23505"]

        init(_ random: SeededRandom) { self.random = random }

        /// nil: the connection breaks.
        mutating func run(_ task: LaneTask) -> LaneFlow.Result? {
            if !isWell {
                if random.chance(8) {
                    if random.chance(2) { commit(task) }
                    return nil
                }
                // A search that fails because of its keys, or with rows of its own, is not repeated.
                let isRecall = if case .recall = task { true } else { false }
                if !isRecall, random.chance(12) {
                    commit(task)
                    return .misunderstood
                }
                if random.chance(3) {
                    let state = random.pick(isRecall || random.chance(2) ? Self.ofDatabase : Self.ofData)
                    return .failed(PostgresError(sqlState: state, message: "failed"), random: random.next())
                }
            }
            return result(task)
        }

        private mutating func commit(_ task: LaneTask) { _ = result(task) }

        private mutating func result(_ task: LaneTask) -> LaneFlow.Result {
            switch task {
            case .probe: return .committed(BatchOutcome(replies: []))
            case .claim: return .claimed(isWell || random.chance(2))
            case .recall(let drafts):
                let found = drafts.filter { committed.contains($0.id) }
                return .committed(BatchOutcome(events: found.isEmpty ? [] : [.entries(found.map(entry))], replies: []))
            case .orders(let operation, let orders):
                var outcome = BatchOutcome(replies: [])
                if operation == .ingests, orders.count == 1, !orders[0].unsettled, random.chance(4) {
                    outcome.partial = []
                    return .committed(outcome)
                }
                for (index, pending) in orders.enumerated() {
                    if operation == .acks, random.chance(4) {
                        outcome.left.append(index)
                        continue
                    }
                    outcome.replies.append(.page([], head: Seq.zero, more: false))
                    for draft in operation.descriptor.drafts(of: pending.order.request) {
                        let isNew = committed.insert(draft.id).inserted
                        if isNew || pending.unsettled { outcome.events.append(.entries([entry(draft)])) }
                    }
                }
                return .committed(outcome)
            }
        }

        private func entry(_ draft: EntryDraft) -> Entry { Entry(seq: Seq(1), createdAt: Timestamp(milliseconds: 0), draft: draft) }
    }

    private final class Nobody: StoreClient {
        func deliver(_ outcomes: [StoreOutcome]) {}
    }

    /// Carries the flow's actions out on the mock clock and database, and counts what comes of them.
    private struct Run {
        var flow: LaneFlow
        var clock = MockClock<LaneFlow.Timer>()
        var database: MockDatabase
        var random: SeededRandom
        let lane: LaneName
        var inFlight: (number: Int, task: LaneTask)?
        var isConnected = false
        var submitted: UInt64 = 0
        var answers: [UInt64: Int] = [:]
        var announced: Set<String> = []
        var begunTogether = 0
        private let ann: UserID

        init(_ lane: LaneName, seed: UInt64) throws {
            self.lane = lane
            random = SeededRandom(seed: seed)
            database = MockDatabase(SeededRandom(seed: seed &+ 1))
            var limits = LaneFlow.Limits()
            limits.longestWait = .milliseconds(400)
            flow = LaneFlow(lane.operations, claimsDatabase: lane.claimsDatabase, limits: limits)
            ann = try user("ann")
        }

        mutating func tell(_ event: LaneFlow.Event) {
            var events = [event]
            while !events.isEmpty {
                for action in flow.handle(events.removeFirst(), now: clock.now) {
                    switch action {
                    case .begin(let number, let task):
                        if inFlight != nil || !isConnected { begunTogether += 1 }
                        inFlight = (number, task)
                    case .settle(let published, let orders, let replies):
                        #expect(orders.count == replies.count)
                        for case .entries(let entries) in published { announced.formUnion(entries.map(\.draft.id)) }
                        for order in orders { answers[order.order.token, default: 0] += 1 }
                    case .start(let timer, let delay): clock.start(timer, after: delay)
                    case .cancel(let timer): clock.cancel(timer)
                    case .disconnect: events.append(lost())
                    case .reportMissingSchema, .note: break
                    }
                }
            }
        }

        mutating func lost() -> LaneFlow.Event {
            isConnected = false
            inFlight = nil
            return .disconnected
        }

        mutating func connect() {
            guard !isConnected else { return }
            isConnected = true
            tell(.connected(.first))
        }

        mutating func request() -> StoreRequest {
            let id = "\(submitted)"
            switch lane {
            case .entries:
                if random.chance(5) { return .open(ann, with: ann, context: nil, most: 1) }
                return random.chance(2) ? .ingest([draft(.inbox(ann), id)], []) : .append(draft(.inbox(ann), id, sender: ann))
            case .cursors: return .move(ann, .inbox(ann), random.chance(2) ? .delivered(Seq(1)) : .unread([Seq(1)]), session: "s")
            case .reads:
                return random.chance(2)
                    ? .page(.inbox(ann), after: nil, before: nil, limit: 900) : .state(ann, .inbox(ann), entitled: true)
            }
        }

        mutating func submit() {
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                submitted += 1
                let request = request()
                let order = PendingOrder(order: StoreOrder(request: request, client: Nobody(), token: submitted))
                tell(.order(order, Operation(request)))
            }
            tell(.flush)
        }

        mutating func finish() {
            guard let (number, task) = inFlight else { return }
            guard let result = database.run(task) else { return tell(lost()) }
            inFlight = nil
            tell(.finished(transaction: number, result))
        }

        mutating func step() {
            switch Int.random(in: 0..<10, using: &random) {
            case 0, 1, 2: submit()
            case 3, 4, 5, 6: finish()
            case 7: connect()
            case 8: if let timer = clock.next() { tell(.timer(timer)) }
            default: if random.chance(10), isConnected { tell(lost()) }
            }
        }
    }

    @Test(arguments: LaneName.allCases, 0..<40 as Range<UInt64>)
    func `Every order is answered exactly once, one transaction is in flight, and what was committed is announced`(
        lane: LaneName, seed: UInt64
    ) throws {
        var run = try Run(lane, seed: seed)
        for _ in 0..<600 { run.step() }
        // The database recovers: everything comes to an end.
        run.database.isWell = true
        var steps = 0
        // The question whether this hub is alone is asked without an end.
        while run.inFlight != nil || !run.clock.running.isSubset(of: [.claim]), steps < 10_000 {
            steps += 1
            run.connect()
            run.finish()
            if run.inFlight == nil, let timer = run.clock.next() { run.tell(.timer(timer)) }
        }
        // The lock, what was given up, and nothing more.
        for _ in 0..<3 {
            run.connect()
            run.finish()
        }
        #expect(run.inFlight == nil)
        #expect(run.submitted > 500)
        #expect(run.answers.count == Int(run.submitted))
        #expect(run.answers.values.allSatisfy { $0 == 1 })
        #expect(run.begunTogether == 0)
        #expect(run.database.committed.subtracting(run.announced).isEmpty)
    }

    @Test(arguments: LaneName.allCases, 100..<110 as Range<UInt64>)
    func `Closing at any moment answers what is left`(lane: LaneName, seed: UInt64) throws {
        var run = try Run(lane, seed: seed)
        for _ in 0..<Int(seed) * 2 { run.step() }
        run.tell(.close)
        run.submit()
        #expect(run.answers.count == Int(run.submitted))
        #expect(run.answers.values.allSatisfy { $0 == 1 })
        #expect(run.clock.running.isEmpty)
    }
}

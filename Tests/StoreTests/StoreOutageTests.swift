import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import Synchronization
import Telemetry
import TestKit
import Testing

@testable import Store

/// The database goes away, in every way it can.
@Suite(.timeLimit(.minutes(3)), .guarded) struct StoreOutageTests {
    @Test("Entries that PostgreSQL refuses at the limit of its transaction ids are stored when it accepts writes again")
    func limitOfTransactionIDs() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()).ready()
        let ann = try inbox("ann")
        #expect(await bench.ask(.ingest([draft(ann, "1")], [])).seqs == [1])

        func start(at transaction: UInt32) async throws {
            try cluster.stop("fast")
            try cluster.setNextTransaction(transaction)
            try cluster.start()
            try await until { bench.store.state == .up }
        }

        // PostgreSQL stops 3 million transactions before the oldest one, which is 2^31 away.
        try await start(at: 2_146_000_001)
        let failed = bench.store.statistics.transactionsFailed.value
        #expect(await bench.ask(.ingest([draft(ann, "2")], [])) == .failed(.unavailable))
        #expect(bench.store.statistics.transactionsFailed.value >= failed + 2, "the entry and the probe")
        #expect(bench.store.statistics.ordersPoisonous.value == 0)

        try await start(at: 100_000)
        #expect(await bench.ask(.ingest([draft(ann, "2")], [])).seqs == [2])
    }

    @Test func acknowledgedWorkIsKeptOnceWhenPostgresCrashes() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()) { $0.longestWait = .seconds(30) }.ready()
        let writers = 8
        let channels = try (0..<writers).map { try inbox("user \($0)") }
        let ledger = Ledger(writers: writers)

        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    var round = 0
                    while !ledger.isOver {
                        round += 1
                        let key = "\(round)"
                        // As the intake and a sender do: the same again until it is stored.
                        while true {
                            if let seq = await bench.ask(.ingest([draft(channels[writer], key)], [])).seqs?.first {
                                ledger.acknowledged.withLock { $0[writer][key] = seq }
                                let owner = try user("user \(writer)")
                                let reply = await bench.ask(.move(owner, channels[writer], .delivered(Seq(seq)), session: "s"))
                                if let state = reply.moved { ledger.delivered.withLock { $0[writer] = state.cursor.delivered.rawValue } }
                                break
                            }
                            if ledger.isOver { break }
                            try await Task.sleep(for: .milliseconds(5))
                        }
                    }
                }
            }
            group.addTask {
                defer { ledger.end() }
                for _ in 0..<4 {
                    let before = bench.store.statistics.entriesStored.value
                    try await until { bench.store.statistics.entriesStored.value >= before + 200 }
                    try cluster.stop("immediate")
                    try cluster.start()
                    try await until { bench.store.state == .up }
                }
            }
            try await group.waitForAll()
        }

        for (writer, channel) in channels.enumerated() {
            let rows = try bench.entries(channel)
            #expect(rows.count == Set(rows.map { $0.split(separator: ":")[1] }).count, "nothing twice")
            #expect(rows.enumerated().allSatisfy { $1.hasPrefix("\($0 + 1):") }, "no gaps")
            let stored = Dictionary(uniqueKeysWithValues: rows.map { ($0.split(separator: ":")[1], $0.split(separator: ":")[0]) })
            for (key, seq) in ledger.acknowledged.withLock({ $0[writer] }) { #expect(stored[key[...]] == "\(seq)"[...]) }
            let cursor = try bench.cell("select delivered from hub.cursor where user_id = 'user \(writer)'")
            #expect(UInt64(cursor ?? "0")! >= ledger.delivered.withLock { $0[writer] })
            // Everything stored was announced, whatever became of the transaction that stored it.
            let announced = Set(bench.bus.entries)
            for row in rows { #expect(announced.contains("\(channel.storedName)/\(row.split(separator: ":")[0])")) }
        }
        #expect(bench.desk.answeredTwice == 0)
        #expect(bench.store.statistics.connectionsLost.value >= 4)
    }

    @Test(
        "Entries are announced once although their connection was lost after the commit and before its answer",
        arguments: [false, true])
    func commitOfUnknownOutcome(isAwayLonger: Bool) async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()) { $0.longestWait = .milliseconds(300) }.ready()
        let ann = try user("ann")
        // A commit is then on disk, and waits for a standby that does not exist.
        _ = try bench.query("alter system set synchronous_standby_names = 'nobody'")
        _ = try bench.query("select pg_reload_conf()")
        let waiting = "from pg_stat_activity where application_name = 'hub entries' and wait_event = 'SyncRep'"
        try await until { try bench.cell("show synchronous_standby_names") == "nobody" }
        async let reply = bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        try await until { try bench.cell("select count(*) \(waiting)") == "1" }
        _ = try bench.query("alter system reset synchronous_standby_names")
        if isAwayLonger {
            // The order is given up. Its entry is looked up later.
            try cluster.stop("immediate")
            #expect(await reply == .failed(.unavailable))
            try cluster.start()
        } else {
            // The order is carried out again, and finds its entry.
            _ = try bench.query("select pg_terminate_backend(pid) \(waiting)")
            _ = try bench.query("select pg_reload_conf()")
            #expect(await reply.seqs == [1])
        }
        try await until { bench.bus.entries == ["inbox:ann/1"] }
        #expect(try bench.entries(.inbox(ann)) == ["1:1"])
    }

    @Test("Entries whose commit fails are neither answered as stored nor announced")
    func failedCommit() async throws {
        // Nobody waits for the deadline: the failure itself is heard.
        let bench = try await StoreBench(nil) {
            $0.answerDeadline = .seconds(600)
            $0.longestWait = .milliseconds(500)
        }.ready()
        let ann = try user("ann")
        // The statements succeed, and the commit does not: as with a disk that is full.
        _ = try bench.query(
            """
            create function public.fail() returns trigger language plpgsql as
                $$ begin raise exception 'no room' using errcode = 'disk_full'; end $$;
            create constraint trigger late after insert on hub.entry deferrable initially deferred for each row
                execute function public.fail();
            """)
        let reply = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        #expect([.failed(.unavailable), .failed(.tooSlow)].contains(reply))
        #expect(try bench.entries(.inbox(ann)).isEmpty && bench.bus.entries.isEmpty)
        _ = try bench.query("drop trigger late on hub.entry")
        while await bench.ask(.ingest([draft(.inbox(ann), "1")], [])).seqs != [1] { try await Task.sleep(for: .milliseconds(5)) }
        #expect(bench.bus.entries == ["inbox:ann/1"])
    }

    @Test func duringAnOutageOrdersWaitOrFailAtOnceByTheirKind() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()) { $0.longestWait = .seconds(60) }.ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        try cluster.stop("immediate")
        // Away as soon as one connection is; the entries' own must be gone as well.
        try await until { bench.store.statistics.connectionsLost.value == 3 }
        #expect(bench.store.state == .away)

        async let waiting = bench.ask([
            .move(ann, .inbox(ann), .delivered(Seq(1)), session: "s"), .open(ann, with: bob, context: nil, most: 100),
            .snapshot(ann, broadcasts: [], asked: [], most: 256), .page(.inbox(ann), after: nil, before: nil, limit: 1),
        ])
        let told = await bench.ask([.ingest([draft(.inbox(ann), "2")], []), .append(draft(.inbox(ann), "3", sender: ann))])
        #expect(told == Array(repeating: .failed(.unavailable), count: 2))
        try cluster.start()
        let replies = await waiting
        #expect(replies[0].moved?.cursor.delivered == Seq(1))
        #expect(replies.allSatisfy { $0 != .failed(.unavailable) })
        #expect(bench.store.statistics.ordersUnavailable.value == 2)
    }

    @Test func anAckWaitsNoLongerThanTheLimit() async throws {
        let cluster = try PostgresCluster()
        let bench = try await StoreBench(cluster.makeDatabase()) { $0.longestWait = .milliseconds(300) }.ready()
        try cluster.stop("fast")
        let ann = try user("ann")
        #expect(await bench.ask(.move(ann, .inbox(ann), .delivered(Seq(1)), session: "s")) == .failed(.unavailable))
    }

    @Test func aStoreThatNeverReachesItsDatabaseReportsIt() async throws {
        let bench = try StoreBench("host=/nowhere") { $0.longestWait = .milliseconds(100) }
        let ann = try user("ann")
        #expect(await bench.ask(.ingest([draft(.inbox(ann), "1")], [])) == .failed(.unavailable))
        #expect(await bench.ask(.move(ann, .inbox(ann), .delivered(Seq(1)), session: "s")) == .failed(.unavailable))
        #expect(bench.store.state == .starting)
        bench.store.stop()
        #expect(bench.store.state == .stopped)
        #expect(
            !bench.store.submit([StoreOrder(request: .snapshot(ann, broadcasts: [], asked: [], most: 256), client: bench.desk, token: 0)]))
    }

    @Test func ordersMoveToAnotherConnectionWhenTheServerHangs() async throws {
        let bench = try await StoreBench(nil) {
            $0.statementTimeout = .seconds(60)
            $0.answerDeadline = .milliseconds(300)
            $0.longestWait = .seconds(30)
        }.ready()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        // Stopped in its tracks, as by a machine that vanished: the socket stays, no answer comes.
        let number = try bench.cell(
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'hub entries'")
        let pid = try #require(number.flatMap { Int32($0) })
        try #require(Process.run(["kill", "-STOP", "\(pid)"]) == 0)
        let reply = await bench.ask(.ingest([draft(.inbox(ann), "2")], []))
        try #require(Process.run(["kill", "-CONT", "\(pid)"]) == 0)
        #expect(reply.seqs == [2])
        #expect(try bench.entries(.inbox(ann)) == ["1:1", "2:2"])
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:ann/2"])
    }

    @Test func ordersThatTakeTooLongFailAsTooSlow() async throws {
        let bench = try await StoreBench(nil) {
            $0.statementTimeout = .milliseconds(200)
            $0.longestWait = .milliseconds(1)
        }.ready()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        let blocker = try BlockingConnection(bench.address, applicationName: "tests")
        try blocker.execute("begin; select from hub.channel for update")
        #expect(await bench.ask(.ingest([draft(.inbox(ann), "2")], [])) == .failed(.tooSlow))
        try blocker.execute("rollback")
        #expect(await bench.ask(.ingest([draft(.inbox(ann), "2")], [])).seqs == [2])
        #expect(bench.store.statistics.connectionsLost.value == 0)
    }

    @Test func nothingIsLostWhenBackendsAreKilled() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        let ledger = Ledger(writers: 0)
        async let killer: Void = {
            defer { ledger.end() }
            while bench.store.statistics.connectionsLost.value <= 5 {
                // One that is still being set up is not lost.
                try await until { bench.store.state == .up }
                let before = bench.store.statistics.connectionsLost.value
                _ = try bench.query(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where application_name in ('hub entries', 'hub cursors') and datname = current_database()
                    """)
                try await until { bench.store.statistics.connectionsLost.value > before }
            }
        }()
        var stored = 1
        while !ledger.isOver {
            let replies = await bench.ask([
                .ingest([draft(.inbox(ann), "\(stored + 1)")], []), .move(ann, .inbox(ann), .delivered(Seq(UInt64(stored))), session: "s"),
            ])
            if replies[0].seqs == [UInt64(stored + 1)] { stored += 1 }
            if let state = replies[1].moved { #expect(state.cursor.delivered.rawValue >= UInt64(stored) - 1) }
        }
        try await killer
        #expect(try bench.entries(.inbox(ann)).count == stored)
        #expect(
            await bench.ask(.move(ann, .inbox(ann), .delivered(Seq(UInt64(stored))), session: "s")).moved?.cursor.delivered
                == Seq(UInt64(stored)))
    }

    @Test func ordersBehindAnInterruptedTransactionStayBehindIt() async throws {
        let bench = try await StoreBench(nil) { $0.longestWait = .seconds(30) }.ready()
        let ann = try user("ann")
        let channel = Channel.inbox(ann)
        _ = await bench.ask(.ingest([draft(channel, "1")], []))
        _ = await bench.ask(.move(ann, channel, .delivered(Seq(1)), session: "s"))
        let blocker = try BlockingConnection(bench.address, applicationName: "tests")
        try blocker.execute("begin; select from hub.cursor for update")
        func waiting() throws -> Bool {
            try bench.cell(
                "select count(*) from pg_stat_activity where application_name = 'hub cursors' and wait_event_type = 'Lock' and datname = current_database()"
            ) == "1"
        }
        async let read = bench.ask(.move(ann, channel, .read(.upTo(Seq(1))), session: "s"))
        try await until { try waiting() }
        async let unread = bench.ask(.move(ann, channel, .unread([Seq(1)]), session: "s"))
        try await until { bench.store.statistics.waiting.value == 2 }
        _ = try bench.query(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hub cursors' and datname = current_database()"
        )
        try await until { bench.store.statistics.connectionsLost.value == 1 }
        try blocker.execute("rollback")
        #expect(await read.moved?.cursor.read == Seq(1))
        #expect(await unread.moved?.cursor.read == Seq(0))
        #expect(try bench.cell("select read from hub.cursor") == "0")
    }

    @Test func droppedTablesAreCreatedAgain() async throws {
        let bench = try await StoreBench().ready()
        _ = try bench.query("drop schema hub cascade")
        let ann = try user("ann")
        var reply = StoreReply.failed(.unavailable)
        while reply == .failed(.unavailable) { reply = await bench.ask(.ingest([draft(.inbox(ann), "1")], [])) }
        #expect(reply.seqs == [1])
    }

    @Test func stoppingAnswersEverything() async throws {
        // However slow the machine is.
        let bench = try await StoreBench(nil) { $0.stopGrace = .seconds(100) }.ready()
        let ann = try user("ann")
        async let replies = bench.ask((0..<5_000).map { .ingest([draft(.inbox(ann), "\($0)")], []) })
        try await until { bench.store.statistics.entriesStored.value > 0 }
        bench.store.stop()
        #expect(await replies.allSatisfy { $0.seqs != nil })
        #expect(try bench.cell("select count(*) from hub.entry") == "5000")
        #expect(
            !bench.store.submit([StoreOrder(request: .snapshot(ann, broadcasts: [], asked: [], most: 256), client: bench.desk, token: 0)]))
    }
}

/// What the writers were told.
private final class Ledger: Sendable {
    let acknowledged: Locked<[[String: UInt64]]>
    let delivered: Locked<[UInt64]>
    private let over = Atomic<Bool>(false)

    init(writers: Int) {
        acknowledged = Locked(Array(repeating: [:], count: writers))
        delivered = Locked(Array(repeating: 0, count: writers))
    }

    var isOver: Bool { over.load(ordering: .relaxed) }
    func end() { over.store(true, ordering: .relaxed) }
}

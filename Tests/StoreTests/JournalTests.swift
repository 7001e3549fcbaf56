import Bus
import HangGuard
import Messaging
import Postgres
import Telemetry
import TestKit
import Testing

@testable import Store

/// What hubs on one database tell each other.
@Suite(.timeLimit(.minutes(2)), .guarded) struct JournalTests {
    private func shared(_ address: String? = nil) async throws -> StoreBench {
        try await StoreBench(address) {
            $0.isShared = true
            $0.rings = true
            // Only the tests read.
            $0.withdrawalInterval = .seconds(3_600)
        }.ready()
    }

    /// What a hub reads that has another name than all others.
    private func read(_ bench: StoreBench, after position: inout String?) async throws -> [ElsewhereChange]? {
        let reply = await bench.ask(.journal(after: position, node: "reader"))
        guard case .journal(let next, let changes) = reply else { throw UnexpectedReply(reply: reply) }
        position = next
        return changes
    }

    /// - Returns: the version of the cursor, as the hub that moved it tells its own sessions.
    private func move(_ bench: StoreBench, _ user: UserID, _ channel: Channel, _ change: CursorChange) async throws -> UInt64 {
        let reply = await bench.ask(.move(user, channel, change, session: "s"))
        guard case .moved(let cursor, changed: true) = reply else { throw UnexpectedReply(reply: reply) }
        return cursor.state.version
    }

    private struct UnexpectedReply: Error {
        let reply: StoreReply
    }

    @Test func allThatOthersShowIsReadOnce() async throws {
        let bench = try await shared()
        let (ann, bob) = (try user("ann"), try user("bob"))
        var position: String?
        #expect(try await read(bench, after: &position) == [])
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1"), draft(.inbox(ann), "2"), draft(.broadcast("system"), "1")], []))
        let found = try #require(try await read(bench, after: &position))
        #expect(found.count == 2)
        #expect(found.contains(.stored(.inbox(ann), upTo: Seq(2), members: [])))
        #expect(found.contains(.stored(.broadcast("system"), upTo: Seq(1), members: [])))
        #expect(try await read(bench, after: &position) == [])

        let talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        #expect(try await read(bench, after: &position) == [.opened(talk, by: ann, members: [ann, bob])])
        _ = await bench.ask(.append(draft(talk, "m", sender: ann)))
        #expect(try await read(bench, after: &position) == [.stored(talk, upTo: Seq(1), members: [ann, bob])])
        let marked = try await move(bench, bob, talk, .read(.upTo(Seq(1))))
        #expect(try await read(bench, after: &position) == [.moved(bob, talk, version: marked)])
        let delivered = try await move(bench, ann, .inbox(ann), .delivered(Seq(2)))
        #expect(try await read(bench, after: &position) == [.moved(ann, .inbox(ann), version: delivered)])
        _ = await bench.ask(.change(draft(talk, "c", sender: ann), of: Seq(1), to: nil))
        #expect(try await read(bench, after: &position) == [.stored(talk, upTo: Seq(2), members: [ann, bob])])
        _ = await bench.ask(.block(bob, ann, most: 10))
        #expect(try await read(bench, after: &position) == [.hidingChanged(talk, of: ann)])
        // The blocked one's message is no activity for the one who has blocked.
        _ = await bench.ask(.append(draft(talk, "hidden", sender: ann)))
        #expect(try await read(bench, after: &position) == [.stored(talk, upTo: Seq(3), members: [ann])])
    }

    @Test func commandsThatChangeNothingTellNothing() async throws {
        let bench = try await shared()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        _ = await bench.ask(.move(ann, .inbox(ann), .delivered(Seq(1)), session: "s"))
        var position: String?
        _ = try await read(bench, after: &position)
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        _ = await bench.ask(.move(ann, .inbox(ann), .delivered(Seq(1)), session: "s"))
        #expect(try await read(bench, after: &position) == [])
        #expect(try bench.cell("select count(*) from hub.journal") == "2")
    }

    @Test func aHubDoesNotReadWhatItWroteItself() async throws {
        let bench = try await shared()
        _ = await bench.ask(.ingest([draft(.inbox(try user("ann")), "1")], []))
        let node = try #require(try bench.cell("select node from hub.journal"))
        #expect(try bench.cell("select count(*) from hub.witness where id = '\(node)'") == "1")
        let reply = await bench.ask(.journal(after: nil, node: node))
        guard case .journal(_, let found) = reply else { throw UnexpectedReply(reply: reply) }
        #expect(found == [])
    }

    @Test func aHubThatIsAloneWritesNothing() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(.ingest([draft(.inbox(try user("ann")), "1")], []))
        #expect(try bench.cell("select count(*) from hub.journal") == "0")
        #expect(try bench.cell("select count(*) from hub.node") == "0")
    }

    @Test func aTransactionThatStaysOpenHoldsUpNothingAndIsReadWhenItEnds() async throws {
        let bench = try await shared()
        let (ann, bob) = (try user("ann"), try user("bob"))
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1"), draft(.inbox(bob), "1")], []))
        var position: String?
        _ = try await read(bench, after: &position)
        let late = try BlockingConnection(bench.address, applicationName: "tests")
        _ = try late.execute(
            """
            begin;
            insert into hub.journal (node, kind, channels, lasts)
            select 'late', 'entries', array_agg(id), array[9] from hub.channel where name = 'inbox:bob'
            """)
        for number in 2...4 {
            _ = await bench.ask(.ingest([draft(.inbox(ann), "\(number)")], []))
            #expect(try await read(bench, after: &position) == [.stored(.inbox(ann), upTo: Seq(UInt64(number)), members: [])])
        }
        _ = try late.execute("commit")
        #expect(try await read(bench, after: &position) == [.stored(.inbox(bob), upTo: Seq(9), members: [])])
        #expect(try await read(bench, after: &position) == [])
    }

    @Test func aPositionOfALaterHistoryLooksBackALittle() async throws {
        let bench = try await shared()
        let ann = try user("ann")
        _ = await bench.ask(.ingest([draft(.inbox(ann), "1")], []))
        var position: String? = "99999999:99999999:"
        #expect(try await read(bench, after: &position) == [.stored(.inbox(ann), upTo: Seq(1), members: [])])
        #expect(try await read(bench, after: &position) == [])
    }

    @Test func tooMuchIsNotReadButTold() async throws {
        let bench = try await shared()
        var position: String?
        _ = await bench.ask(.ingest([draft(.inbox(try user("ann")), "1")], []))
        _ = try await read(bench, after: &position)
        _ = try bench.query(
            """
            insert into hub.journal (node, kind, channels, users)
            select 'other', 'cursors', array_agg(c.id), array_agg('u' || g)
            from hub.channel c cross join generate_series(1, \(Journal.mostChanges + 1)) g
            """)
        #expect(try await read(bench, after: &position) == nil)
        #expect(try await read(bench, after: &position) == [])
    }

    @Test func aBeatCountsTheOthersAndRemovesWhatIsOld() async throws {
        let bench = try await shared()
        func others() async -> Int? {
            let report = NodeReport(node: NodeIdentity(id: "me", name: "n", version: "1"))
            return if case .nodes(let news) = await bench.ask(.beat(report)) { news.others } else { nil }
        }
        _ = try bench.query("delete from hub.node")
        #expect(await others() == 0)
        _ = try bench.query(
            """
            insert into hub.node (id, name, version, started_at, seen_at) values
                ('living', 'n', '1', now(), now() - interval '8 seconds'), ('dead', 'n', '1', now(), now() - interval '12 seconds'),
                ('forgotten', 'n', '1', now(), now() - interval '2 hours');
            """)
        _ = try bench.query(
            """
            insert into hub.journal (node, kind, channels, noted_at) values
                ('other', 'entries', '{}', now() - interval '6 minutes'), ('other', 'entries', '{}', now() - interval '4 minutes')
            """)
        #expect(await others() == 1)
        #expect(try bench.query("select id from hub.node order by 1") == [["dead"], ["living"], ["me"]])
        #expect(try bench.cell("select count(*) from hub.journal") == "1")
    }

    @Test func aBellMakesTheOthersLook() async throws {
        let first = try await shared()
        let second = try await shared(first.address)
        // Each must have counted the other before it rings.
        try await until { first.store.statistics.nodes.value == 2 && second.store.statistics.nodes.value == 2 }
        let ann = try user("ann")
        _ = await first.ask(.ingest([draft(.inbox(ann), "1")], []))
        try await until { second.bus.events.contains(.storedElsewhere(.inbox(ann), upTo: Seq(1))) }
        // The first move makes the row, the second one takes the short way.
        _ = await first.ask(.ingest([draft(.inbox(ann), "2")], []))
        for seq: UInt64 in [1, 2] {
            let version = try await move(second, ann, .inbox(ann), .delivered(Seq(seq)))
            try await until { first.bus.events.contains(.movedElsewhere(ann, .inbox(ann), version: version)) }
        }
        #expect(!first.bus.events.contains(.storedElsewhere(.inbox(ann), upTo: Seq(1))))
    }
}

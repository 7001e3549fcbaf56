import Bus
import HangGuard
import Messaging
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreEntryTests {
    @Test func anEntryIsReadAsItWasStored() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("änn 🙂")
        let full = EntryDraft(
            channel: ann, source: "https://platform/reviews", id: "e-1", kind: .system, eventType: "review.requested", priority: .critical,
            form: .hint, sender: try user("bob"), content: #""title":{"fr":"é","en":"\"x\""},"data":{"n":1.50, "o":[]}"#, group: "g",
            collapse: "c", expiresAt: Timestamp(milliseconds: 4_102_444_800_123), receiptRequired: true, trace: "00-ab-cd-01")
        let bare = draft(ann, "e-2", content: "")
        let reply = await bench.ask(.ingest([full, bare], [IngestPosition(group: "hub", topic: "hub.events", partition: 3, offset: 41)]))
        let stored = try #require(reply.stored)
        #expect(stored.map(\.seq) == [Seq(1), Seq(2)])
        #expect(stored.allSatisfy { !$0.duplicate })

        let page = try #require(await bench.ask(.page(ann, after: .zero, before: nil, limit: 10)).page)
        #expect(page.entries.map(\.draft) == [full, bare])
        #expect(page.entries.map(\.createdAt) == stored.map(\.createdAt))
        #expect(page.head == 2 && !page.more)
        #expect(bench.bus.entries == ["inbox:änn 🙂/1", "inbox:änn 🙂/2"])
        guard case .entries(let heard) = bench.bus.events.first else { return }
        #expect(heard == page.entries)
        #expect(try bench.query("select topic, partition, position from hub.intake_position") == [["hub.events", "3", "41"]])
        #expect(try bench.cell("select content->'title'->>'fr' from hub.entry where seq = 1") == "é")
    }

    @Test func theSameKeyIsStoredOnceWithinABatchAndAcross() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        let bob = try inbox("bob")
        let replies = await bench.ask([
            .ingest([draft(ann, "1"), draft(ann, "1"), draft(bob, "1"), draft(ann, "2")], []),
            .ingest([draft(ann, "2"), draft(ann, "1", source: "other"), draft(ann, "3")], []),
        ])
        #expect(replies.map(\.seqs) == [[1, 1, 1, 2], [2, 3, 4]])
        #expect(replies.map { $0.stored?.map(\.duplicate) } == [[false, true, false, false], [true, false, false]])
        let again = await bench.ask(.ingest([draft(ann, "3"), draft(ann, "4"), draft(ann, "1")], []))
        #expect(again.seqs == [4, 5, 1])
        #expect(again.stored?.map(\.duplicate) == [true, false, true])
        #expect(again.stored?[2].createdAt == replies[0].stored?[0].createdAt)
        #expect(try bench.entries(ann) == ["1:1", "2:2", "3:1", "4:3", "5:4"])
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:bob/1", "inbox:ann/2", "inbox:ann/3", "inbox:ann/4", "inbox:ann/5"])
        #expect(bench.store.statistics.entriesStored.value == 6)
        #expect(bench.store.statistics.entriesDuplicate.value == 4)
    }

    @Test func membersOfAConversationAreNamedOnceForEachBatch() async throws {
        let bench = try await StoreBench().ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        let talk = try #require(await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened).channel
        bench.bus.forget()
        _ = await bench.ask([
            .append(draft(talk, "1", source: "user:ann", sender: ann)), .append(draft(talk, "2", source: "user:bob", sender: bob)),
        ])
        let named = bench.bus.events.filter { if case .active = $0 { true } else { false } }
        #expect(named == [.active(talk, members: [ann, bob])] || named.count == 2, "one, or two when they were two batches")
        bench.bus.forget()
        _ = await bench.ask(.ingest([draft(talk, "3"), draft(talk, "4"), draft(.inbox(ann), "5")], []))
        #expect(bench.bus.events.dropFirst() == [.active(talk, members: [ann, bob])])
        bench.bus.forget()
        _ = await bench.ask(.append(draft(talk, "1", source: "user:ann", sender: ann)))
        #expect(bench.bus.events.isEmpty, "a repeat is no activity")
    }

    @Test func aMessageCanReplyOnlyToAnExistingEntry() async throws {
        let bench = try await StoreBench().ready()
        let ann = try user("ann")
        let talk = try #require(await bench.ask(.open(ann, with: try user("bob"), context: nil, most: 100)).opened).channel
        func message(_ id: String, from sender: UserID, replyTo: Seq?) -> StoreRequest {
            var message = draft(talk, id, sender: sender)
            message.replyTo = replyTo
            return .append(message)
        }
        #expect(await bench.ask(message("1", from: ann, replyTo: nil)).seqs == [1])
        let replies = await bench.ask([
            message("2", from: ann, replyTo: Seq(1)), message("3", from: ann, replyTo: Seq(9)),
            message("4", from: try user("eve"), replyTo: Seq(9)), message("5", from: ann, replyTo: Seq(.max)),
        ])
        #expect(replies[0].seqs == [2])
        #expect(replies[1] == .failed(.noSuchEntry))
        #expect(replies[2] == .failed(.forbidden), "nothing is told of others' conversations")
        #expect(replies[3] == .failed(.noSuchEntry))
        #expect(try bench.entries(talk) == ["1:1", "2:2"])
    }

    @Test func anInvalidRowFailsOnlyItsOwnOrder() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        let bob = try inbox("bob")
        _ = await bench.ask(.ingest([draft(ann, "1"), draft(bob, "1")], []))
        _ = try bench.query("alter table hub.entry drop constraint entry_kind_check")
        _ = try bench.query("update hub.entry e set kind = 'riddle' from hub.channel c where c.id = e.channel_id and c.name = 'inbox:ann'")
        let replies = await bench.ask(
            [ann, bob, bob].map { .page($0, after: .zero, before: nil, limit: 10) } + [.page(bob, after: .zero, before: nil, limit: 9)])
        #expect(replies[0] == .failed(.refused("rows that are not understood")))
        #expect(replies[1...].allSatisfy { $0.page?.entries.count == 1 })
    }

    @Test func positionsAreStoredButNoRecordIsSkipped() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        _ = await bench.ask(.ingest([draft(ann, "a")], [IngestPosition(group: "hub", topic: "t", partition: 0, offset: 900)]))
        // The topic was made anew: offsets start again, and so do its records.
        let reply = await bench.ask(.ingest([draft(ann, "b")], [IngestPosition(group: "hub", topic: "t", partition: 0, offset: 0)]))
        #expect(reply.stored?.first?.duplicate == false)
        #expect(await bench.ask(.ingest([], [IngestPosition(group: "hub", topic: "t", partition: 1, offset: 5)])) == .stored([]))
        #expect(try bench.query("select partition, position from hub.intake_position order by 1") == [["0", "0"], ["1", "5"]])
    }

    @Test(arguments: [
        draft(.broadcast("system"), "a\0b"),
        draft(.broadcast("system"), "p", content: "\"title\":\"a\0b\""),
        draft(.broadcast("system"), "p", content: #""title":"a\u0000b""#),
        draft(.broadcast("system"), "p", content: #""title":"\\\u0000""#),
        draft(.broadcast("system"), "p", content: #""title":"#),
        draft(.broadcast("system"), "p", content: #""a":1},{"b":2"#),
        draft(
            .broadcast("system"), "p",
            content: #""deep":"# + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)),
        draft(.broadcast("system"), String(repeating: "x", count: 1_025)),
        draft(.broadcast("system"), "p", source: String(repeating: "é", count: 600)),
    ])
    func poisonIsFoundAndTheRestIsStored(poison: EntryDraft) async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        var orders = (0..<20).map { StoreRequest.ingest([draft(ann, "\($0)")], []) }
        orders.insert(.ingest([draft(ann, "with the poison"), poison], []), at: 13)
        let replies = await bench.ask(orders)
        for (index, reply) in replies.enumerated() {
            if index == 13 {
                guard case .failed(.refused(let text)) = reply else {
                    Issue.record("\(reply)")
                    continue
                }
                #expect(!text.isEmpty)
            } else {
                #expect(reply.seqs == [UInt64(index < 13 ? index + 1 : index)])
            }
        }
        #expect(try bench.cell("select count(*) from hub.entry") == "20")
        #expect(bench.store.statistics.ordersPoisonous.value == 1)
    }

    @Test func anEscapedBackslashBeforeUIsNotNul() async throws {
        let bench = try await StoreBench().ready()
        #expect(await bench.ask(.ingest([draft(.broadcast("system"), "1", content: #""title":"\\u0000""#)], [])).seqs == [1])
    }

    @Test func aDraftForAConversationThatDoesNotExistIsLeftOutAndTheOthersAreStored() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        let nowhere = Channel.conversation(try #require(ConversationID("00000000-0000-4000-8000-000000000000")))
        let replies = await bench.ask([
            .ingest([draft(ann, "1")], []), .ingest([draft(ann, "2"), draft(nowhere, "3"), draft(ann, "4")], []),
            .ingest([draft(ann, "2")], []),
        ])
        #expect(replies[0].seqs == [1])
        guard case .partlyStored(let drafts) = replies[1] else {
            Issue.record("\(replies[1])")
            return
        }
        #expect(drafts.map { $0?.seq.rawValue } == [2, nil, 3])
        #expect(replies[2].seqs == [2])
        #expect(replies[2].stored?[0].duplicate == true)
        #expect(try bench.entries(ann) == ["1:1", "2:2", "3:4"])
        #expect(bench.bus.entries == ["inbox:ann/1", "inbox:ann/2", "inbox:ann/3"])
        #expect(try bench.cell("select count(*) from hub.channel") == "1")
    }

    @Test func twoStoresWriteOneGaplessSequence() async throws {
        let first = try await StoreBench().ready()
        let second = try await StoreBench(first.address).ready()
        let channels = try (0..<5).map { try inbox("user \($0)") }
        await withTaskGroup(of: Void.self) { group in
            for (writer, bench) in [first, second].enumerated() {
                for part in 0..<4 {
                    group.addTask {
                        for round in 0..<25 {
                            // Every key is sent by both stores: one of them stores it.
                            let drafts = (0..<4).map { draft(channels[(part + round + $0) % 5], "\(part)-\(round)-\($0 / 2)") }
                            let reply = await bench.ask(.ingest(writer == 0 ? drafts : drafts.reversed(), []))
                            #expect(reply.stored?.count == 4)
                        }
                    }
                }
            }
        }
        let gaps = try first.query(
            """
            select c.name from hub.channel c left join hub.entry e on e.channel_id = c.id
            group by c.id having count(e.seq) <> c.last_seq or max(e.seq) <> c.last_seq or min(e.seq) <> 1
            """)
        #expect(gaps.isEmpty)
        #expect(try first.cell("select count(*) from hub.entry") == "400")
        // Each entry was announced exactly once, by the store that stored it.
        #expect((first.bus.entries + second.bus.entries).count == 400)
        #expect(Set(first.bus.entries + second.bus.entries).count == 400)
    }

    @Test func aFullStoreRefusesOrders() async throws {
        let bench = try await StoreBench(nil) { $0.capacity = 3 }.ready()
        let ann = try inbox("ann")
        let four = (0..<4).map { StoreOrder(request: .ingest([draft(ann, "\($0)")], []), client: bench.desk, token: 0) }
        #expect(!bench.store.submit(four))
        #expect(bench.store.statistics.ordersRefused.value == 4)
        #expect(await bench.ask((0..<3).map { .ingest([draft(ann, "\($0)")], []) }).map(\.seqs) == [[1], [2], [3]])
    }

    @Test func pagesEndAtTheirLimits() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        _ = await bench.ask(.ingest((1...7).map { draft(ann, "\($0)") }, []))
        let cases: [(after: UInt64?, before: UInt64?, limit: Int, seqs: [UInt64], more: Bool)] = [
            (0, nil, 7, [1, 2, 3, 4, 5, 6, 7], false), (0, nil, 6, [1, 2, 3, 4, 5, 6], true), (6, nil, 5, [7], false),
            (7, nil, 5, [], false),
            (99, nil, 5, [], false), (.max, nil, 5, [], false), (nil, nil, 3, [5, 6, 7], true),
            (nil, nil, 7, [1, 2, 3, 4, 5, 6, 7], false),
            (nil, 4, 3, [1, 2, 3], false), (nil, 4, 2, [2, 3], true), (nil, 1, 2, [], false), (nil, 0, 2, [], false),
            (nil, .max, 1, [7], true),
            (3, nil, 0, [], true), (nil, nil, 0, [], true), (nil, nil, -1, [], true), (0, nil, .max, [1, 2, 3, 4, 5, 6, 7], false),
        ]
        let replies = await bench.ask(
            cases.map { .page(ann, after: $0.after.map { Seq($0) }, before: $0.before.map { Seq($0) }, limit: $0.limit) })
        for (expected, reply) in zip(cases, replies) {
            let page = try #require(reply.page)
            #expect(page.entries.map(\.seq.rawValue) == expected.seqs, "\(expected)")
            #expect(page.more == expected.more, "\(expected)")
            #expect(page.head == 7)
        }
        #expect(await bench.ask(.page(.broadcast("system"), after: .zero, before: nil, limit: 5)) == .page([], head: .zero, more: false))
    }

    @Test func aPageOfLargeEntriesIsCutByItsBytes() async throws {
        let bench = try await StoreBench().ready()
        let ann = try inbox("ann")
        // With the braces around it, four make up a page exactly.
        let frame = #""title":"""#
        func large(_ bytes: Int) -> String { String(frame.dropLast()) + String(repeating: "x", count: bytes - frame.utf8.count - 2) + "\"" }
        let sizes = [PageBatch.bytes / 4, PageBatch.bytes / 4, PageBatch.bytes / 4, PageBatch.bytes / 4, 100, PageBatch.bytes + 1, 100]
        _ = await bench.ask(.ingest(sizes.enumerated().map { draft(ann, "\($0)", content: large($1)) }, []))
        let cases: [(after: UInt64?, before: UInt64?, seqs: [UInt64], more: Bool)] = [
            (0, nil, [1, 2, 3, 4], true), (1, nil, [2, 3, 4, 5], true), (4, nil, [5], true), (5, nil, [6], true), (6, nil, [7], false),
            (nil, nil, [7], true), (nil, 7, [6], true), (nil, 6, [2, 3, 4, 5], true), (nil, 5, [1, 2, 3, 4], false),
        ]
        for expected in cases {
            let page = try #require(
                await bench.ask(.page(ann, after: expected.after.map { Seq($0) }, before: expected.before.map { Seq($0) }, limit: 10)).page)
            #expect(page.entries.map(\.seq.rawValue) == expected.seqs, "\(expected)")
            #expect(page.more == expected.more, "\(expected)")
        }
    }
}

import Bus
import HangGuard
import Linux
import Messaging
import Postgres
import StoreAPI
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreTicketTests {
    private func identity(_ name: String) throws -> Identity {
        Identity(
            user: try user(name), institution: "i", roles: ["r"], channels: [], expiresAt: Timestamp(milliseconds: 5_000),
            login: LoginMark("s"), issuedAt: Timestamp(milliseconds: 1_000))
    }

    @Test func aTicketIsUsedOnceAlsoWhenManyAskTogetherAndByTwoHubs() async throws {
        let bench = try await StoreBench().ready()
        let other = try await StoreBench(bench.address).ready()
        let (ann, bob) = (try identity("ann"), try identity("bob"))
        #expect(
            await bench.ask([.keepTicket("a", ann, life: .seconds(30)), .keepTicket("b", bob, life: .seconds(30))]) == [
                .ticketKept, .ticketKept,
            ])
        let replies = await bench.ask([.takeTicket("a"), .takeTicket("a"), .takeTicket("x")])
        #expect(replies.count { $0 == .ticket(ann) } == 1)
        #expect(replies.count { $0 == .ticket(nil) } == 2)
        async let here = bench.ask(.takeTicket("b"))
        async let there = other.ask(.takeTicket("b"))
        let both = await [here, there]
        #expect(both.count { $0 == .ticket(bob) } == 1)
        #expect(both.count { $0 == .ticket(nil) } == 1)
        #expect(try bench.cell("select count(*) from hub.ticket") == "0")
    }

    @Test func anExpiredTicketIsRefusedAndRemovedSoon() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask([
            .keepTicket("a", try identity("ann"), life: .seconds(30)), .keepTicket("b", try identity("ann"), life: .seconds(30)),
        ])
        _ = try bench.query("update hub.ticket set expires_at = now() - interval '1 second'")
        #expect(await bench.ask(.takeTicket("a")) == .ticket(nil))
        _ = await bench.ask(.keepTicket("c", try identity("ann"), life: .seconds(30)))
        #expect(try bench.cell("select string_agg(digest, ',') from hub.ticket") == "c")
    }
}

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreFenceTests {
    private func fence(_ name: String?, login: String? = nil, until: Int64 = WallClock.now() + 60_000) throws -> Fence {
        try #require(
            Fence(
                user: try name.map { try user($0) }, login: login.map { LoginMark($0) }, reason: .privileges,
                issuedUpTo: Timestamp(milliseconds: 1_000), expiresAt: Timestamp(milliseconds: until)))
    }

    private func fences(_ bench: StoreBench) -> [Fence] {
        bench.bus.events.compactMap { if case .fenced(let fence) = $0 { fence } else { nil } }
    }

    @Test func aFenceIsPublishedAtOnceAndReadByAnotherHub() async throws {
        let bench = try await StoreBench { $0.withdrawalInterval = .seconds(3_600) }.ready()
        let other = try await StoreBench(bench.address).ready()
        let all = [try fence("ann"), try fence(nil, login: "s1"), try fence("bob", login: "s2")]
        for (number, fence) in all.enumerated() {
            #expect(await bench.ask(.fence(FenceNotice(fence, key: "k\(number)", source: "logout"))) == .fenced)
        }
        #expect(fences(bench) == all)
        try await until { Set(all.map { "\($0)" }).isSubset(of: Set(fences(other).map { "\($0)" })) }
    }

    @Test func aNoticeThatComesAgainIsOneRow() async throws {
        let bench = try await StoreBench().ready()
        let notice = FenceNotice(try fence("ann"), key: "k", source: "logout")
        #expect(await bench.ask([.fence(notice), .fence(notice)]) == [.fenced, .fenced])
        #expect(await bench.ask(.fence(notice)) == .fenced)
        #expect(try bench.cell("select count(*) from hub.fence") == "1")
        #expect(try bench.cell("select noted_by from hub.fence") != nil)
    }

    @Test func aHubThatStartsReadsThoseInForce() async throws {
        let address = try await StoreBench().ready().address
        let first = try await StoreBench(address).ready()
        _ = await first.ask([
            .fence(FenceNotice(try fence("ann"), key: "a", source: "logout")),
            .fence(FenceNotice(try fence("bob", until: WallClock.now() - 1_000), key: "b", source: "logout")),
        ])
        let late = try await StoreBench(address).ready()
        try await until { fences(late).contains { $0.user?.name == "ann" } }
        #expect(!fences(late).contains { $0.user?.name == "bob" })
    }
}

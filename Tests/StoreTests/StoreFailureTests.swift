import HangGuard
import Messaging
import StoreAPI
import Telemetry
import TestKit
import Testing

@testable import Store

@Suite("Transactions that fail", .timeLimit(.minutes(1)), .guarded)
struct StoreFailureTests {
    @Test("orders whose transaction fails behind its first statement are carried out again, and none of them is to blame")
    func laterStatement() async throws {
        let bench = try await StoreBench(nil) { $0.longestWait = .milliseconds(300) }.ready()
        let (ann, bob) = (try user("ann"), try user("bob"))
        // The conversation itself is made, and there is no room for its members.
        _ = try bench.query(
            """
            create function public.fail() returns trigger language plpgsql as
                $$ begin raise exception 'no room' using errcode = 'disk_full'; end $$;
            create trigger crowd before insert on hub.member for each row execute function public.fail();
            """)
        #expect(await bench.ask(.open(ann, with: bob, context: nil, most: 100)) == .failed(.unavailable))
        #expect(bench.store.statistics.ordersPoisonous.value == 0)
        #expect(try bench.cell("select count(*) from hub.conversation") == "0")
        _ = try bench.query("drop trigger crowd on hub.member")
        // The lane pauses after a failure, at times for longer than an order waits.
        var opened: ChannelState?
        for _ in 0..<50 where opened == nil { opened = await bench.ask(.open(ann, with: bob, context: nil, most: 100)).opened }
        #expect(opened != nil)
    }
}

import HangGuard
import Messaging
import TestKit
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(2)), .guarded) struct StoreSourceTests {
    private func heard(_ name: String, topic: String = "t", isHeartbeat: Bool = false) -> HeardSource {
        HeardSource(name: name, topic: topic, partition: 3, isHeartbeat: isHeartbeat)
    }

    private func report(
        _ heard: [HeardSource] = [], read: [String] = [], waiting: [String] = [], group: String = "hub", after: Duration = .seconds(60)
    ) -> StoreRequest {
        .sources(SourceReport(group: group, heard: heard, read: read, waiting: waiting, silentAfter: after))
    }

    @Test func sourcesAreKnownToAllHubsOfTheGroup() async throws {
        let bench = try await StoreBench().ready()
        let other = try await StoreBench(bench.address).ready()
        #expect(await bench.ask(report()).sources == [])
        let told = try #require(await bench.ask(report([heard("b"), heard("a")])).sources)
        #expect(told.map(\.name) == ["a", "b"] && told.allSatisfy { $0.age < .seconds(30) && $0.silence == nil })
        #expect(told[0].topic == "t" && told[0].partition == 3)
        #expect(await other.ask(report()).sources?.map(\.name) == ["a", "b"])
        #expect(await other.ask(report(group: "elsewhere")).sources == [])
    }

    @Test func aSourceIsSilentByTheWordOfTheHubThatHasReadAll() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(report([heard("a")]))
        _ = try bench.query("update hub.source set heard_at = now() - interval '61 seconds'")
        #expect(await bench.ask(report()).sources?.first?.silence == nil, "nobody has looked")
        #expect(await bench.ask(report(read: ["a"], waiting: ["a"])).sources?.first?.silence == nil)
        #expect(await bench.ask(report(read: ["a"])).sources?.first?.silence == nil, "something waited a moment ago")
        _ = try bench.query("update hub.source set waited_at = now() - interval '6 seconds'")
        let silent = try #require(await bench.ask(report(read: ["a"])).sources?.first)
        #expect(silent.silence != nil && silent.age >= .seconds(61))
        _ = try bench.query("update hub.source set silent_since = now() - interval '9 seconds'")
        #expect(
            try #require(await bench.ask(report(waiting: ["a"])).sources?.first?.silence) >= .seconds(9),
            "it stays silent until it is heard")
        let again = try #require(await bench.ask(report([heard("a")])).sources?.first)
        #expect(again.silence == nil && again.age < .seconds(30))
        #expect(await bench.ask(report(read: ["a"])).sources?.first?.silence == nil, "not for long enough")
    }

    @Test func thePartitionOfItsHeartbeatsStaysItsPlace() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(report([heard("a", topic: "a.app.t")]))
        _ = await bench.ask(report([heard("a", topic: "beats", isHeartbeat: true)]))
        #expect(await bench.ask(report([heard("a", topic: "a.app.t")])).sources?.first?.topic == "beats")
    }

    @Test func aSourceOfLongAgoIsForgotten() async throws {
        let bench = try await StoreBench().ready()
        _ = await bench.ask(report([heard("a"), heard("b")]))
        _ = try bench.query("update hub.source set heard_at = now() - interval '31 days' where name = 'a'")
        #expect(await bench.ask(report()).sources?.map(\.name) == ["b"])
        #expect(try bench.query("select name from hub.source") == [["b"]])
    }
}

extension StoreReply {
    fileprivate var sources: [SourceState]? { if case .sources(let states) = self { states } else { nil } }
}

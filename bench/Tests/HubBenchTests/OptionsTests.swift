import ArgumentParser
import Dialect
import Load
import Testing

@testable import hub_bench

@Suite("The command line")
struct OptionsTests {
    @Test(
        "Refuses what it would have to change in silence",
        arguments: [
            "acks --window 0", "acks --window 61", "acks --entries 0", "acks --rate=-1", "acks --rate 100 --window 4", "acks --loops 0",
            "fanout --burst 0", "fanout --rate=-1", "fanout --probe=-1", "fanout --bytes 0", "echo --bytes 15", "echo --rate=-2",
            "connect --rate=-1", "connect --rate nan", "durable --rate=-1", "messages --rate 0", "messages --body 0",
            "messages --body 8001",
            "messages --clients 1", "storm --missed 0 --inbox 0", "slow --share 1", "slow --rate 0", "slow --bytes=-1", "soak --talkers 3",
            "soak --inbox-rate=-1", "soak --cut-every=-1", "many --entries 0", "many --bytes 0",
            "many --hubs 25 --sessions 100", "many --together --hubs 121", "cluster --nodes 1", "cluster --sessions 0", "cluster --rate 0",
            "cluster --clients 5", "cluster --url http://127.0.0.1:80", "compare --rounds 0",
            "compare --match race:1",
            "compare --bytes 3", "echo --clients 0", "echo --workers=-1", "echo --seconds 0", "echo --concurrency 0",
            "echo --server-core 999",
            "echo --generator-core=-2", "echo --path chat", "echo --pid 7", "echo --readers often",
        ])
    func refusals(line: String) {
        #expect(throws: (any Error).self) { try HubBench.parseAsRoot(line.split(separator: " ").map(String.init)) }
    }

    @Test(
        "Takes what can be done",
        arguments: [
            "acks --window 60", "acks --rate 2000", "fanout --burst 20 --probe 0", "echo --rate 0 --readers spin", "messages --body 8000",
            "compare --readers sleep", "echo --server plain --url ws://127.0.0.1:9000/chat",
        ])
    func acceptance(line: String) throws { _ = try HubBench.parseAsRoot(line.split(separator: " ").map(String.init)) }

    @Test("Reads where a server runs")
    func addresses() throws {
        let chat = try #require(RunningAddress("ws://10.0.0.7:9000/chat?room=1"))
        #expect(chat.host == "10.0.0.7" && chat.port == 9_000 && chat.path == "/chat?room=1")
        let hub = try #require(RunningAddress("http://127.0.0.1:8080/"))
        #expect(hub.port == 8_080 && hub.path == nil)
        #expect(RunningAddress("http://127.0.0.1")?.port == 80)
        for wrong in ["127.0.0.1:80", "wss://127.0.0.1:1", "http://:80", "http://127.0.0.1:x", "http://127.0.0.1:0", "http://1:2:3", ""] {
            #expect(RunningAddress(wrong) == nil)
        }
    }

    @Test("Gives a started server the path of the address, unless another is said")
    func paths() throws {
        func path(_ line: String) throws -> String? {
            let command = try HubBench.parseAsRoot(line.split(separator: " ").map(String.init))
            return try #require(command as? EchoCommand).server.choice(default: .plain).path
        }
        #expect(try path("echo --server plain --url ws://127.0.0.1:9000/chat") == "/chat")
        #expect(try path("echo --server plain --url ws://127.0.0.1:9000/chat --path /other") == "/other")
        #expect(try path("echo --server plain --url ws://127.0.0.1:9000") == nil)
    }
}

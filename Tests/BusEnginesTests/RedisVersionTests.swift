import HangGuard
import Redis
import TestKit
import Testing

@testable import BusEngines

@Suite("The version of a Redis server", .guarded)
struct RedisVersionTests {
    @Test(
        "older ones than 7 are refused",
        arguments: [
            ("# Server\r\nredis_version:6.2.14\r\nredis_mode:standalone\r\n", true), ("redis_version:2.8", true),
            ("redis_version:7.0.15\r\n", false),
            ("redis_version:8.2.1\r\n", false), ("redis_version:10.0.0\r\n", false),
            // As another fork may do it, whose own version counts.
            ("redis_version:6.2.0\r\nvalkey_version:8.0.1\r\n", false), ("redis_version:7.2.4\r\nserver_name:valkey\r\n", false),
            ("# Server\r\n", false), ("", false), ("redis_version:\r\n", false), ("redis_version:next\r\n", false),
        ])
    func refusals(_ text: String, _ isRefused: Bool) { #expect((RedisVersion.refusal(of: text) != nil) == isRefused) }

    @Test("the reason names the version and what is needed")
    func reason() {
        #expect(
            RedisVersion.refusal(of: "redis_version:6.2.14") == "the server is Redis 6.2.14; the hub needs Redis 7 or newer, or Valkey")
    }

    @Test("a real server tells its version, also behind a password")
    func real() throws {
        let server = try RedisServer("--requirepass secret")
        let address = try RedisAddress("redis://:secret@127.0.0.1:\(server.port)")
        #expect(RedisVersion.refusal(at: address, within: .seconds(20)) == nil)
    }

    @Test("a start goes on when the server is away or refuses the password")
    func away() throws {
        let server = try RedisServer("--requirepass secret")
        #expect(RedisVersion.refusal(at: try RedisAddress("redis://:wrong@127.0.0.1:\(server.port)"), within: .seconds(20)) == nil)
        try server.kill()
        #expect(RedisVersion.refusal(at: try RedisAddress(server.url), within: .milliseconds(200)) == nil)
    }

    @Test("the answers to other commands are passed over, and an account that must not ask is taken")
    func judgements() {
        #expect(RedisVersion.judgement(of: .text(Array("OK".utf8))) == .none)
        #expect(RedisVersion.judgement(of: .integer(0)) == .none)
        #expect(RedisVersion.judgement(of: .text(Array("redis_version:7.0.0".utf8))) == .accepted)
        #expect(RedisVersion.judgement(of: .error("NOPERM this user has no permissions to run the 'info' command")) == .accepted)
        #expect(RedisVersion.judgement(of: .error("ERR unknown command 'INFO'")) == .accepted)
        #expect(RedisVersion.judgement(of: .error("NOAUTH Authentication required.")) == .refused("NOAUTH Authentication required."))
    }
}

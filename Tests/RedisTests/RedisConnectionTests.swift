import HangGuard
import Linux
import Redis
import TestKit
import Testing

@Suite("Connections to Redis", .guarded)
struct RedisConnectionTests {
    /// Writes all that waits, and reads until so many replies have come.
    private func exchange(_ connection: RedisConnection, _ count: Int) throws -> [RedisReply] {
        var replies: [RedisReply] = []
        let poller = try Poller()
        try poller.add(connection.descriptor, .readable, token: 0)
        while try !connection.write() { _ = try poller.wait(milliseconds: 1) }
        while replies.count < count {
            _ = try poller.wait(milliseconds: 10_000)
            replies += try connection.read()
        }
        return replies
    }

    @Test("commands are answered in their order, and may hold any bytes")
    func order() throws {
        let server = try RedisServer()
        let connection = try RedisConnection(try RedisAddress(server.url))
        let bytes = (0...255).map { UInt8($0) }
        connection.append(["PING"])
        connection.append([Array("ECHO".utf8), bytes])
        connection.append(["NONSENSE"])
        connection.append(["PUBLISH", "channel", "nobody hears"])
        connection.append(["GET", "nothing"])
        let replies = try exchange(connection, 5)
        #expect(replies[0] == .text(Array("PONG".utf8)))
        #expect(replies[1] == .text(bytes))
        guard case .error(let reason) = replies[2] else { throw RedisServer.Failure(description: "\(replies[2])") }
        #expect(reason.hasPrefix("ERR unknown command"))
        #expect(replies[3] == .integer(0))
        #expect(replies[4] == .null)
        #expect(connection.waiting == 0)
    }

    @Test("a password is used before anything else, and a wrong one is told")
    func password() throws {
        let server = try RedisServer("--requirepass secret")
        let right = try RedisConnection(try RedisAddress("redis://:secret@127.0.0.1:\(server.port)"))
        right.append(["PING"])
        #expect(try exchange(right, 2) == [.text(Array("OK".utf8)), .text(Array("PONG".utf8))])
        let wrong = try RedisConnection(try RedisAddress("redis://:other@127.0.0.1:\(server.port)"))
        guard case .error(let reason) = try exchange(wrong, 1)[0] else { throw RedisServer.Failure(description: "no refusal") }
        #expect(reason.hasPrefix("WRONGPASS"))
    }

    @Test("a server that is away is told by the first write or read")
    func away() throws {
        let server = try RedisServer()
        try server.kill()
        #expect(throws: RedisFailure.self) {
            let connection = try RedisConnection(try RedisAddress(server.url))
            connection.append(["PING"])
            _ = try exchange(connection, 1)
        }
    }

    @Test("a host without an address is told when connecting")
    func unknownHost() {
        #expect(throws: RedisFailure.self) { try RedisConnection(try RedisAddress("redis://nowhere.invalid")) }
    }
}

internal import CHiredis

public struct RedisFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

/// A connection to a Redis server that never waits, after the look-up of the host's name. Used by one thread, which watches `descriptor`.
@safe public final class RedisConnection {
    private let context: UnsafeMutablePointer<redisContext>
    public let descriptor: Int32

    /// Begins to connect. The first `write` tells whether the connection was made.
    public init(_ address: RedisAddress) throws(RedisFailure) {
        guard let context = unsafe redisConnectNonBlock(address.host, address.port) else { throw RedisFailure("no memory") }
        unsafe self.context = context
        descriptor = unsafe context.pointee.fd
        if let failure = unsafe Self.failure(of: context) {
            // `deinit` frees the context.
            throw failure
        }
        // A server that is cut off is found without traffic, too. A refusal of the system changes nothing else.
        _ = unsafe redisEnableKeepAlive(context)
        if let password = address.password { append(["AUTH"] + (address.user.map { [$0] } ?? []) + [password]) }
    }

    deinit { unsafe redisFree(context) }

    /// Adds a command to what waits to be written.
    public func append(_ words: [String]) { append(words.map { Array($0.utf8) }) }

    /// - Parameter words: at most 32, all bytes allowed.
    public func append(_ words: [[UInt8]]) {
        precondition(words.count <= Int(CHIREDIS_MOST_WORDS))
        let lengths = words.map(\.count)
        // Fails only without memory.
        _ = unsafe Array(words.joined()).withUnsafeBytes { joined in
            unsafe chiredis_append(context, Int32(words.count), joined.bindMemory(to: CChar.self).baseAddress, lengths)
        }
    }

    /// Bytes that wait to be written.
    public var waiting: Int { unsafe chiredis_waiting(context) }

    /// Writes what the socket takes.
    /// - Returns: whether nothing waits any more.
    public func write() throws(RedisFailure) -> Bool {
        var isDone: Int32 = 0
        while isDone == 0 {
            let before = waiting
            guard unsafe redisBufferWrite(context, &isDone) == REDIS_OK else {
                throw unsafe Self.failure(of: context) ?? RedisFailure("lost")
            }
            if isDone == 0, waiting == before { return false }
        }
        return true
    }

    /// The replies and messages that have come.
    public func read() throws(RedisFailure) -> [RedisReply] {
        guard unsafe redisBufferRead(context) == REDIS_OK else { throw unsafe Self.failure(of: context) ?? RedisFailure("lost") }
        var replies: [RedisReply] = []
        while true {
            var reply: UnsafeMutablePointer<redisReply>?
            guard unsafe chiredis_next_reply(context, &reply) == REDIS_OK else {
                throw unsafe Self.failure(of: context) ?? RedisFailure("lost")
            }
            guard let found = unsafe reply else { return replies }
            replies.append(unsafe RedisReply(found.pointee))
            unsafe freeReplyObject(found)
        }
    }

    private static func failure(of context: UnsafeMutablePointer<redisContext>) -> RedisFailure? {
        guard unsafe context.pointee.err != 0 else { return nil }
        return unsafe RedisFailure(
            withUnsafeBytes(of: &context.pointee.errstr) { text in
                unsafe String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            })
    }
}

internal import CHiredis

/// A reply of the server (RESP 2).
public enum RedisReply: Equatable, Sendable {
    /// A simple string or a bulk string.
    case text([UInt8])
    case integer(Int64)
    case list([RedisReply])
    case null
    /// The server's refusal, beginning with its code: `NOAUTH Authentication required.`
    case error(String)

    /// Copies what hiredis has parsed. It bounds the nesting.
    init(_ reply: redisReply) {
        switch unsafe reply.type {
        case REDIS_REPLY_INTEGER: self = unsafe .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            self = .list(
                unsafe (0..<reply.elements).map { index in
                    guard let element = unsafe reply.element[index] else { return .null }
                    return unsafe RedisReply(element.pointee)
                })
        case REDIS_REPLY_NIL: self = .null
        case REDIS_REPLY_ERROR: self = unsafe .error(String(decoding: Self.bytes(of: reply), as: UTF8.self))
        default: self = unsafe .text(Self.bytes(of: reply))
        }
    }

    private static func bytes(of reply: redisReply) -> [UInt8] {
        guard let text = unsafe reply.str else { return [] }
        return unsafe Array(UnsafeRawBufferPointer(start: text, count: reply.len))
    }
}

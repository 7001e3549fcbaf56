import Bytes
import Linux

/// The bytes of one connection that its socket has not accepted yet, in sending order.
struct Backlog {
    /// Small remainders are joined up to this size, so that few calls send them.
    private static let chunkBytes = 32 * 1_024

    private struct Chunk {
        var bytes: [UInt8]
        var sent: Int
        /// Shared with another owner, so appending would copy it.
        let isShared: Bool
    }

    private var chunks: [Chunk] = []
    private var first = 0
    private(set) var count = 0

    mutating func append(copying bytes: Span<UInt8>) {
        count += bytes.count
        if let last = chunks.last, !last.isShared, last.bytes.count + bytes.count <= Self.chunkBytes {
            chunks[chunks.count - 1].bytes.append(copying: bytes)
        } else {
            var copy: [UInt8] = []
            copy.reserveCapacity(bytes.count)
            copy.append(copying: bytes)
            chunks.append(Chunk(bytes: copy, sent: 0, isShared: false))
        }
    }

    /// Keeps a reference instead of a copy.
    mutating func append(sharing bytes: [UInt8], from sent: Int) {
        count += bytes.count - sent
        chunks.append(Chunk(bytes: bytes, sent: sent, isShared: true))
    }

    /// Lends the next bytes to send. The backlog must not be empty.
    func withNext<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        let chunk = chunks[first]
        return body(chunk.bytes.span.extracting(chunk.sent...))
    }

    /// All bytes that wait, in one piece.
    mutating func takeAll() -> [UInt8] {
        var bytes: [UInt8] = []
        for chunk in chunks[first...] { bytes.append(copying: chunk.bytes.span.extracting(chunk.sent...)) }
        chunks = []
        first = 0
        count = 0
        return bytes
    }

    /// Removes the first `taken` of the lent bytes.
    mutating func consume(_ taken: Int) {
        count -= taken
        chunks[first].sent += taken
        guard chunks[first].sent == chunks[first].bytes.count else { return }
        chunks[first].bytes = []
        chunks[first].sent = 0
        first += 1
        // Spent chunks are dropped in bulk: each is moved at most once for every chunk sent.
        if first * 2 >= chunks.count {
            chunks.removeFirst(first)
            first = 0
        }
    }
}

import CZlib

/// Why a message could not be inflated.
public enum InflateFailure: Error, Equatable, Sendable {
    /// Not DEFLATE, or cut off inside a block.
    case corrupt
    /// The inflated message would be longer than the limit. At most the limit was produced.
    case tooLong
    /// zlib has no memory for its window.
    case outOfMemory
}

/// A decompressor for raw DEFLATE (RFC 1951), message by message.
///
/// Owns one zlib stream: about 40 KiB with its window. Used by one thread at a time.
@safe public final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>

    /// nil when zlib has no memory for the stream. A window of 15 bits reads what any smaller one wrote.
    public init?(windowBits: Int = 15) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe hub_inflate_init(stream, Int32(-min(max(windowBits, 8), 15))) == Z_OK else { return nil }
    }

    deinit {
        // After a failed init the state is null, which inflateEnd refuses without harm.
        unsafe inflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Forgets everything inflated so far.
    public func reset() {
        unsafe inflateReset(stream)
    }

    /// Appends the inflated message to `output`, at most `limit` bytes of it. `input` is one message without the four bytes
    /// 00 00 ff ff that its sender took off (RFC 7692 §7.2.1). After a failure only `reset` makes sense.
    public func inflate(_ input: Span<UInt8>, into output: inout [UInt8], limit: Int) throws(InflateFailure) {
        var room = min(max(limit, 0), Int.max - 1)
        // After a final block (BFINAL, RFC 7692 §7.2.3.4) that ends the message nothing was taken off.
        if try read(input, into: &output, room: &room) == .ended { return }
        let end = try read([0x00, 0x00, 0xFF, 0xFF].span, into: &output, room: &room)
        guard end == .betweenBlocks else { throw .corrupt }
    }

    /// Where the last byte left the stream.
    private enum Position { case betweenBlocks, insideBlock, ended }

    private func read(_ input: Span<UInt8>, into output: inout [UInt8], room: inout Int) throws(InflateFailure) -> Position {
        // An error cannot leave the borrowing closures typed, so it leaves as a value.
        let outcome: Result<Position, InflateFailure> = unsafe input.withUnsafeBufferPointer { bytes in
            // zlib never writes through next_in; C's type only lacks the const.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
            defer { unsafe stream.pointee.next_in = nil }
            guard let length = UInt32(exactly: bytes.count) else { return .failure(.tooLong) }
            unsafe stream.pointee.avail_in = length
            // The buffer grows with the real output. One byte past the limit distinguishes "exactly the limit" from "longer".
            var wanted = max(256, bytes.count &* 2)
            while true {
                let step = min(room + 1, wanted)
                wanted = min(wanted &* 2, 1 << 20)
                var status = Z_OK
                var produced = 0
                output.append(addingCapacity: step) { out in
                    unsafe out.withUnsafeMutableBufferPointer { free, count in
                        let before = count
                        let window = unsafe UnsafeMutableBufferPointer(rebasing: free[..<min(free.count, before + step)])
                        unsafe stream.fill(window, &count) { status = unsafe CZlib.inflate($0, Z_SYNC_FLUSH) }
                        produced = count - before
                    }
                }
                if produced > room {
                    output.removeLast(produced - room)
                    return .failure(.tooLong)
                }
                room -= produced
                switch status {
                case Z_OK:
                    if unsafe stream.pointee.avail_in == 0 && stream.pointee.avail_out > 0 { return .success(position) }
                case Z_BUF_ERROR:
                    // Nothing to read and nothing to write: all was read.
                    return .success(position)
                case Z_STREAM_END:
                    // The window outlives a final block; the next block may refer into it.
                    unsafe inflateResetKeep(stream)
                    if unsafe stream.pointee.avail_in == 0 { return .success(.ended) }
                case Z_MEM_ERROR:
                    return .failure(.outOfMemory)
                default:
                    return .failure(.corrupt)
                }
            }
        }
        return try outcome.get()
    }

    /// zlib reports in `data_type` that its position is between blocks (128), with how many bits unused of the last byte (0…63).
    private var position: Position { unsafe stream.pointee.data_type & 0xBF == 128 ? .betweenBlocks : .insideBlock }
}

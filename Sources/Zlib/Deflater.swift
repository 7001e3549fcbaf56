import CZlib

/// A compressor for raw DEFLATE (RFC 1951), flushed after every message.
///
/// Owns one zlib stream: about 256 KiB at 15 window bits and memory level 8. Used by one thread at a time.
@safe public final class Deflater {
    /// The sizes of window zlib can compress with. It has no raw deflate with 8.
    public static let windowBitsRange: ClosedRange<Int> = 9...15

    public let windowBits: Int
    private let stream: UnsafeMutablePointer<z_stream>

    /// nil when zlib has no memory for the stream. `windowBits` and `memoryLevel` (1…9) are clamped to what zlib takes; `level` is
    /// 0 (store) … 9 (smallest).
    public init?(windowBits: Int = 15, level: Int = 6, memoryLevel: Int = 8) {
        self.windowBits = min(max(windowBits, Self.windowBitsRange.lowerBound), Self.windowBitsRange.upperBound)
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        let status = unsafe hub_deflate_init(
            stream, Int32(min(max(level, 0), 9)), Int32(-self.windowBits), Int32(min(max(memoryLevel, 1), 9)))
        guard status == Z_OK else { return nil }
    }

    deinit {
        // After a failed init the state is null, which deflateEnd refuses without harm.
        unsafe deflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Forgets everything compressed so far.
    public func reset() {
        unsafe deflateReset(stream)
    }

    /// Appends `input` compressed and flushed to a byte boundary, so that it ends with the empty stored block 00 00 ff ff.
    public func compress(_ input: Span<UInt8>, into output: inout [UInt8]) {
        unsafe input.withUnsafeBufferPointer { bytes in
            // zlib never writes through next_in; C's type only lacks the const.
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
            var unread = bytes.count
            // zlib counts in 32 bits; nothing here comes near, but a length is a length.
            repeat {
                let part = UInt32(clamping: unread)
                unsafe stream.pointee.avail_in = part
                unread -= Int(part)
                let flush = unread == 0 ? Z_SYNC_FLUSH : Z_NO_FLUSH
                repeat {
                    // Room for the rest at once if it does not compress; zlib's own bound for stored blocks.
                    let room = unsafe 64 + Int(stream.pointee.avail_in) / 2
                    output.append(addingCapacity: room) { out in
                        unsafe out.withUnsafeMutableBufferPointer { free, count in
                            unsafe stream.fill(free, &count) { unsafe _ = deflate($0, flush) }
                        }
                    }
                } while unsafe stream.pointee.avail_out == 0
            } while unread > 0
            unsafe stream.pointee.next_in = nil
        }
    }
}

extension UnsafeMutablePointer<z_stream> {
    /// Lets `step` write behind the `count` initialized elements of `buffer`, and counts what it wrote.
    func fill(_ buffer: UnsafeMutableBufferPointer<UInt8>, _ count: inout Int, _ step: (UnsafeMutablePointer<z_stream>) -> Void) {
        let room = UInt32(clamping: buffer.count - count)
        unsafe pointee.next_out = buffer.baseAddress.map { unsafe $0 + count }
        unsafe pointee.avail_out = room
        unsafe step(self)
        unsafe count += Int(room - pointee.avail_out)
        unsafe pointee.next_out = nil
    }
}

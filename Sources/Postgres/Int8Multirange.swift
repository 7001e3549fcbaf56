/// PostgreSQL's `int8multirange` in its canonical form: ascending, disjoint, not adjacent, half-open ranges.
public struct Int8Multirange: Equatable, Sendable {
    public let ranges: [Range<Int64>]

    /// The ranges may overlap and come in any order; the server canonicalizes what it is sent.
    public init(_ ranges: [Range<Int64>]) { self.ranges = ranges }

    public static let empty = Int8Multirange([])

    /// rangetypes.h: both bounds finite, the lower inclusive, the upper exclusive.
    private static let halfOpen: UInt8 = 0x02

    /// Of one range: its length, its flags, and both bounds with their lengths.
    private static let rangeByteCount = 4 + 1 + 4 + 8 + 4 + 8

    var encodedByteCount: Int { 4 + ranges.count * Self.rangeByteCount }

    /// multirange_recv's format: the number of ranges, then each range with its length; a range is its flags and two bounds with lengths.
    func encode(into bytes: inout [UInt8]) {
        bytes.appendBigEndian(Int32(truncatingIfNeeded: ranges.count))
        for range in ranges {
            bytes.appendBigEndian(Int32(Self.rangeByteCount - 4))
            bytes.append(Self.halfOpen)
            bytes.appendBigEndian(Int32(8))
            bytes.appendBigEndian(range.lowerBound)
            bytes.appendBigEndian(Int32(8))
            bytes.appendBigEndian(range.upperBound)
        }
    }

    /// Nil for anything but finite half-open ranges, which is what the server sends for int8 without infinities.
    init?(binary bytes: Span<UInt8>) {
        var reader = BigEndianReader(at: 0)
        guard let count = reader.int32(bytes), count >= 0 else { return nil }
        if count == 0, bytes.count == 4 {
            ranges = []
            return
        }
        var ranges: [Range<Int64>] = []
        for _ in 0..<count {
            guard reader.int32(bytes) == 25, reader.uint8(bytes) == Self.halfOpen,
                reader.int32(bytes) == 8, let lower = reader.int64(bytes),
                reader.int32(bytes) == 8, let upper = reader.int64(bytes), lower <= upper
            else { return nil }
            ranges.append(lower..<upper)
        }
        guard reader.offset == bytes.count else { return nil }
        self.ranges = ranges
    }
}

/// Reads big-endian numbers one behind the other; nil past the end.
struct BigEndianReader {
    private(set) var offset: Int
    init(at offset: Int) { self.offset = offset }

    mutating func uint8(_ bytes: Span<UInt8>) -> UInt8? {
        unsigned(1, bytes).map { UInt8(truncatingIfNeeded: $0) }
    }
    mutating func int32(_ bytes: Span<UInt8>) -> Int32? {
        unsigned(4, bytes).map { Int32(truncatingIfNeeded: $0) }
    }
    mutating func int64(_ bytes: Span<UInt8>) -> Int64? {
        unsigned(8, bytes).map { Int64(truncatingIfNeeded: $0) }
    }
    /// `count` bytes as text, invalid UTF-8 repaired (the connection's encoding is UTF-8, so there is none).
    mutating func text(_ count: Int, _ bytes: Span<UInt8>) -> String? {
        guard count >= 0, bytes.count - offset >= count else { return nil }
        defer { offset += count }
        let part = bytes.extracting(offset..<offset + count)
        return String(copying: part)
    }

    private mutating func unsigned(_ width: Int, _ bytes: Span<UInt8>) -> UInt64? {
        guard bytes.count - offset >= width else { return nil }
        var value: UInt64 = 0
        for i in offset..<offset + width { value = value << 8 | UInt64(bytes[i]) }
        offset += width
        return value
    }
}

extension String {
    init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

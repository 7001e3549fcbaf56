/// The parameters of one execution, encoded as the protocol's binary format. Order of appending = `$1, $2, …`.
public struct Parameters: Sendable {
    /// All values, one behind the other.
    var bytes: [UInt8] = []
    /// Per parameter: where it lies in `bytes`; nil is SQL null.
    var places: [Range<Int>?] = []

    public init() {}

    /// Bytes encoded so far; bounds a batch.
    public var byteCount: Int { bytes.count }

    public mutating func append(_ text: String) {
        scalar { $0.append(contentsOf: text.utf8) }
    }

    public mutating func append(_ number: Int64) {
        scalar { $0.appendBigEndian(number) }
    }

    public mutating func append(_ flag: Bool) {
        scalar { $0.append(flag ? 1 : 0) }
    }

    /// `text[]`
    public mutating func append(_ texts: some Collection<String?>) {
        array(of: .text, texts) { text, bytes in bytes.append(contentsOf: text.utf8) }
    }

    /// `text[]` without nulls
    public mutating func append(_ texts: some Collection<String>) {
        array(of: .text, texts.lazy.map { Optional($0) }) { text, bytes in bytes.append(contentsOf: text.utf8) }
    }

    /// `int8[]`
    public mutating func append(_ numbers: some Collection<Int64?>) {
        array(of: .int8, numbers) { number, bytes in bytes.appendBigEndian(number) }
    }

    /// `int4[]`
    public mutating func append(_ numbers: some Collection<Int32>) {
        array(of: .int4, numbers.lazy.map { Optional($0) }) { number, bytes in bytes.appendBigEndian(number) }
    }

    /// `bool[]`
    public mutating func append(_ flags: some Collection<Bool>) {
        array(of: .bool, flags.lazy.map { Optional($0) }) { flag, bytes in bytes.append(flag ? 1 : 0) }
    }

    /// `timestamptz[]`
    public mutating func append(_ times: some Collection<PostgresTime?>) {
        array(of: .timestamptz, times) { time, bytes in bytes.appendBigEndian(time.microseconds) }
    }

    /// `int8multirange[]`
    public mutating func append(_ sets: some Collection<Int8Multirange>) {
        array(of: .int8multirange, sets.lazy.map { Optional($0) }) { set, bytes in set.encode(into: &bytes) }
    }

    private mutating func scalar(_ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        write(&bytes)
        places.append(start..<bytes.count)
    }

    /// array_recv's format: dimensions, has-null flag, element type, length and lower bound of the one dimension,
    /// then each element as a length (-1 = null) and its bytes.
    private mutating func array<Element>(
        of type: ElementType, _ elements: some Collection<Element?>, _ write: (Element, inout [UInt8]) -> Void
    ) {
        let start = bytes.count
        let count = Int32(truncatingIfNeeded: elements.count)
        bytes.appendBigEndian(Int32(count == 0 ? 0 : 1))
        bytes.appendBigEndian(Int32(1))
        bytes.appendBigEndian(type.rawValue)
        if count > 0 {
            bytes.appendBigEndian(count)
            bytes.appendBigEndian(Int32(1))
        }
        for element in elements {
            guard let element else {
                bytes.appendBigEndian(Int32(-1))
                continue
            }
            let header = bytes.count
            bytes.appendBigEndian(Int32(0))
            write(element, &bytes)
            bytes.overwriteBigEndian(Int32(truncatingIfNeeded: bytes.count - header - 4), at: header)
        }
        places.append(start..<bytes.count)
    }
}

/// Type oids fixed by PostgreSQL's catalog (pg_type.dat).
enum ElementType: UInt32 {
    case bool = 16
    case int8 = 20
    case int4 = 23
    case text = 25
    case timestamptz = 1184
    case int8multirange = 4536
}

/// PostgreSQL's `timestamptz`: microseconds since 2000-01-01T00:00:00Z.
public struct PostgresTime: Equatable, Sendable {
    public var microseconds: Int64
    public init(microseconds: Int64) { self.microseconds = microseconds }

    /// 1970-01-01 to 2000-01-01.
    private static let epochMilliseconds: Int64 = 946_684_800_000

    /// Nil when the moment is outside of what microseconds in 64 bits can say.
    public init?(unixMilliseconds: Int64) {
        let (since2000, early) = unixMilliseconds.subtractingReportingOverflow(Self.epochMilliseconds)
        let (scaled, late) = since2000.multipliedReportingOverflow(by: 1_000)
        guard !early, !late else { return nil }
        microseconds = scaled
    }

    /// Rounded down to the millisecond.
    public var unixMilliseconds: Int64 {
        (microseconds >> 63 == 0 ? microseconds / 1_000 : (microseconds &- 999) / 1_000) &+ Self.epochMilliseconds
    }
}

extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth - 8
        while shift >= 0 {
            append(UInt8(truncatingIfNeeded: value >> shift))
            shift -= 8
        }
    }

    mutating func overwriteBigEndian(_ value: Int32, at index: Int) {
        self[index] = UInt8(truncatingIfNeeded: value >> 24)
        self[index + 1] = UInt8(truncatingIfNeeded: value >> 16)
        self[index + 2] = UInt8(truncatingIfNeeded: value >> 8)
        self[index + 3] = UInt8(truncatingIfNeeded: value)
    }
}

/// The parameters of one execution, encoded as the protocol's binary format. Order of appending = `$1, $2, …`.
public struct Parameters: Sendable {
    /// The values of all parameters, concatenated.
    var bytes: [UInt8] = []
    /// Per parameter: the range of its value in `bytes`; nil is SQL null.
    var ranges: [Range<Int>?] = []

    public init() {}

    /// The number of bytes encoded so far. It bounds a batch.
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
    public mutating func append(_ texts: [String?]) {
        self.texts { elements in for text in texts { elements.add(text) } }
    }

    /// `text[]` without nulls
    public mutating func append(_ texts: [String]) {
        self.texts { elements in for text in texts { elements.add(text) } }
    }

    /// `text[]` of elements that `fill` adds one by one: for texts that are not in an array of their own.
    public mutating func texts(_ fill: (inout TextElements) -> Void) {
        let start = bytes.count
        var elements = TextElements(takingOver: &bytes)
        fill(&elements)
        elements.end(&bytes)
        ranges.append(start..<bytes.count)
    }

    /// `text[]` of texts in two parts, which need not be joined first.
    public mutating func append(joined texts: [(String, String)]) {
        self.texts { elements in for parts in texts { elements.add(parts.0, parts.1) } }
    }

    /// `int8[]`
    public mutating func append(_ numbers: [Int64?]) {
        array(of: .int8, numbers) { number, bytes in
            guard let number else { return bytes.appendNull() }
            bytes.append(element: number)
        }
    }

    /// `int8[]` without nulls
    public mutating func append(_ numbers: [Int64]) {
        array(of: .int8, numbers) { number, bytes in bytes.append(element: number) }
    }

    /// `int4[]`
    public mutating func append(_ numbers: [Int32]) {
        array(of: .int4, numbers) { number, bytes in bytes.append(element: number) }
    }

    /// `bool[]`
    public mutating func append(_ flags: [Bool]) {
        array(of: .bool, flags) { flag, bytes in bytes.append(element: UInt8(flag ? 1 : 0)) }
    }

    /// `timestamptz[]`
    public mutating func append(_ times: [PostgresTime?]) {
        array(of: .timestamptz, times) { time, bytes in
            guard let time else { return bytes.appendNull() }
            bytes.append(element: time.microseconds)
        }
    }

    /// `int8multirange[]`
    public mutating func append(_ sets: [Int8Multirange]) {
        array(of: .int8multirange, sets) { set, bytes in
            bytes.appendBigEndian(Int32(truncatingIfNeeded: set.encodedByteCount))
            set.encode(into: &bytes)
        }
    }

    private mutating func scalar(_ write: (inout [UInt8]) -> Void) {
        let start = bytes.count
        write(&bytes)
        ranges.append(start..<bytes.count)
    }

    /// array_recv's format: its header, then each element as a length (-1 = null) and its bytes.
    ///
    /// It takes an array and is inlined, because generic code that is called from another module costs ten times as much.
    @inline(__always)
    private mutating func array<Element>(of type: ElementType, _ elements: [Element], _ write: (Element, inout [UInt8]) -> Void) {
        let start = bytes.count
        bytes.appendArrayHeader(type, Int32(truncatingIfNeeded: elements.count))
        for element in elements { write(element, &bytes) }
        ranges.append(start..<bytes.count)
    }
}

/// The elements of one `text[]` under construction, after the parameters that were encoded before.
public struct TextElements: ~Copyable {
    private var bytes: [UInt8] = []
    private let start: Int
    private var count: Int32 = 0

    private static let headerBytes = 20

    /// Takes over the storage until `end`.
    init(takingOver bytes: inout [UInt8]) {
        start = bytes.count
        swap(&self.bytes, &bytes)
        self.bytes.append(contentsOf: repeatElement(0, count: Self.headerBytes))
    }

    /// Completes the array and gives the storage back.
    mutating func end(_ bytes: inout [UInt8]) {
        var header: [UInt8] = []
        header.appendArrayHeader(.text, count)
        self.bytes.replaceSubrange(start..<start + Self.headerBytes, with: header)
        swap(&self.bytes, &bytes)
    }

    public mutating func add(_ text: String) {
        count &+= 1
        bytes.appendBigEndian(Int32(truncatingIfNeeded: text.utf8.count))
        bytes.append(copying: text)
    }

    public mutating func add(_ text: String?) {
        guard let text else {
            count &+= 1
            return bytes.appendNull()
        }
        add(text)
    }

    /// One text in two parts, which need not be joined first.
    public mutating func add(_ first: String, _ second: String) {
        count &+= 1
        bytes.appendBigEndian(Int32(truncatingIfNeeded: first.utf8.count + second.utf8.count))
        bytes.append(copying: first)
        bytes.append(copying: second)
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

    /// Nil when the time does not fit into 64 bits of microseconds.
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
    /// Dimensions, has-null flag, element type, length and lower bound of the one dimension.
    fileprivate mutating func appendArrayHeader(_ type: ElementType, _ count: Int32) {
        appendBigEndian(Int32(count == 0 ? 0 : 1))
        appendBigEndian(Int32(1))
        appendBigEndian(type.rawValue)
        guard count > 0 else { return }
        appendBigEndian(count)
        appendBigEndian(Int32(1))
    }

    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        append(addingCapacity: value.bitWidth / 8) { $0.appendBigEndian(value) }
    }

    fileprivate mutating func append(element number: some FixedWidthInteger) {
        append(addingCapacity: 4 + number.bitWidth / 8) { out in
            out.appendBigEndian(Int32(truncatingIfNeeded: number.bitWidth / 8))
            out.appendBigEndian(number)
        }
    }

    /// Copies with memcpy. Appending a sequence of bytes costs three times as much.
    fileprivate mutating func append(copying text: String) {
        unsafe text.utf8.span.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }

    fileprivate mutating func appendNull() { appendBigEndian(Int32(-1)) }
}

extension OutputSpan<UInt8> {
    @inline(__always)
    fileprivate mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth
        while shift > 0 {
            shift &-= 8
            append(UInt8(truncatingIfNeeded: value &>> shift))
        }
    }
}

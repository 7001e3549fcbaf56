import CPostgres

/// What one statement returned. Owns libpq's result; values are read in place.
///
/// Every reader answers nil for null, for a column that is not there, and for a value of another width:
/// a surprising database is a failure to handle, not a trap.
@safe public final class Rows {
    let result: OpaquePointer
    public let count: Int
    public let columns: Int

    init(adopting result: OpaquePointer) {
        unsafe self.result = result
        count = unsafe Int(PQntuples(result))
        columns = unsafe Int(PQnfields(result))
    }

    deinit { unsafe PQclear(result) }

    /// Lends a value's bytes; nil for null.
    public func withBytes<T>(_ row: Int, _ column: Int, _ body: (Span<UInt8>) -> T?) -> T? {
        guard row >= 0, row < count, column >= 0, column < columns else { return nil }
        let (r, c) = (Int32(row), Int32(column))
        guard unsafe PQgetisnull(result, r, c) == 0, let start = unsafe PQgetvalue(result, r, c) else { return nil }
        let raw = unsafe UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(result, r, c)))
        return unsafe body(raw.bindMemory(to: UInt8.self).span)
    }

    public func int64(_ row: Int, _ column: Int) -> Int64? { number(row, column) }

    public func int32(_ row: Int, _ column: Int) -> Int32? { number(row, column) }

    public func bool(_ row: Int, _ column: Int) -> Bool? {
        let byte: UInt8? = number(row, column)
        return byte.map { $0 != 0 }
    }

    /// Empty for a null and for an index outside of the result: libpq checks both bounds.
    @inline(__always)
    private func number<Number: FixedWidthInteger>(_ row: Int, _ column: Int) -> Number? {
        let (r, c) = (Int32(truncatingIfNeeded: row), Int32(truncatingIfNeeded: column))
        guard unsafe Int(PQgetlength(result, r, c)) == MemoryLayout<Number>.size, let start = unsafe PQgetvalue(result, r, c) else {
            return nil
        }
        return unsafe Number(bigEndian: UnsafeRawPointer(start).loadUnaligned(as: Number.self))
    }

    /// `text`, `json` and the like.
    public func text(_ row: Int, _ column: Int) -> String? {
        withBytes(row, column) { String(copying: $0) }
    }

    public func time(_ row: Int, _ column: Int) -> PostgresTime? {
        int64(row, column).map { PostgresTime(microseconds: $0) }
    }

    public func multirange(_ row: Int, _ column: Int) -> Int8Multirange? {
        withBytes(row, column) { Int8Multirange(binary: $0) }
    }

    /// A one-dimensional `text[]` without nulls.
    public func texts(_ row: Int, _ column: Int) -> [String]? {
        elements(row, column, of: .text) { width, reader, bytes in reader.text(width, bytes) }
    }

    /// A one-dimensional `int8[]` without nulls.
    public func int64s(_ row: Int, _ column: Int) -> [Int64]? {
        elements(row, column, of: .int8) { width, reader, bytes in width == 8 ? reader.int64(bytes) : nil }
    }

    private func elements<Element>(
        _ row: Int, _ column: Int, of type: ElementType, _ read: (Int, inout BigEndianReader, Span<UInt8>) -> Element?
    ) -> [Element]? {
        withBytes(row, column) { bytes in
            var reader = BigEndianReader(at: 0)
            guard let dimensions = reader.int32(bytes), reader.int32(bytes) != nil,
                reader.int32(bytes) == Int32(bitPattern: type.rawValue)
            else { return nil }
            if dimensions == 0 { return [] }
            guard dimensions == 1, let length = reader.int32(bytes), length >= 0, reader.int32(bytes) != nil else { return nil }
            var elements: [Element] = []
            for _ in 0..<length {
                guard let width = reader.int32(bytes), let element = read(Int(width), &reader, bytes) else { return nil }
                elements.append(element)
            }
            return elements
        }
    }
}

/// Equality and order of values (CEL specification, "Equality" and "Ordering"). Numbers compare by value, whatever their types.
struct Comparison {
    /// One unit is a value, or 256 bytes of text.
    static func budget(_ limits: CELLimits) -> Int { 4 * (1 + limits.stringBytes / bytesPerUnit) }
    static let bytesPerUnit = 256
    static let maximumDepth = 64

    private let limit: Int
    private var used = 0

    init(_ limits: CELLimits) { limit = Self.budget(limits) }

    private mutating func use(_ units: Int) throws(CELFailureReason) {
        used += units
        guard used <= limit else { throw .tooLarge("the value to compare", limit: limit) }
    }

    mutating func equal(_ a: CELValue, _ b: CELValue, depth: Int = 0) throws(CELFailureReason) -> Bool {
        try use(1)
        switch (a, b) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.int(let a), .int(let b)): return a == b
        case (.double(let a), .double(let b)): return a == b
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): return NumberOrder.compare(a, b) == .equal
        case (.string(let a), .string(let b)):
            // CEL compares code points; `==` would take an é in its two spellings for one text.
            guard a.utf8.count == b.utf8.count else { return false }
            try use(a.utf8.count / Self.bytesPerUnit)
            return a.utf8.span.hasSameBytes(as: b.utf8.span)
        case (.bytes(let a), .bytes(let b)):
            guard a.count == b.count else { return false }
            try use(a.count / Self.bytesPerUnit)
            return a.span.hasSameBytes(as: b.span)
        case (.timestamp(let a), .timestamp(let b)): return a == b
        case (.duration(let a), .duration(let b)): return a == b
        case (.list(let a), .list(let b)): return try equalLists(a, b, depth + 1)
        case (.map(let a), .map(let b)): return try equalMaps(a, b, depth + 1)
        default: return false
        }
    }

    private mutating func equalLists(_ a: [CELValue], _ b: [CELValue], _ depth: Int) throws(CELFailureReason) -> Bool {
        guard depth <= Self.maximumDepth else { throw .tooLarge("the depth of the value to compare", limit: Self.maximumDepth) }
        guard a.count == b.count else { return false }
        for index in a.indices {
            guard try equal(a[index], b[index], depth: depth) else { return false }
        }
        return true
    }

    private mutating func equalMaps(_ a: [String: CELValue], _ b: [String: CELValue], _ depth: Int) throws(CELFailureReason) -> Bool {
        guard depth <= Self.maximumDepth else { throw .tooLarge("the depth of the value to compare", limit: Self.maximumDepth) }
        guard a.count == b.count else { return false }
        for (key, value) in a {
            guard let other = b[key], try equal(value, other, depth: depth) else { return false }
        }
        return true
    }

    /// Whether a column has the same value in both rows. In PostgreSQL, unlike in CEL, NaN equals itself.
    mutating func same(_ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> Bool {
        if case (.double(let a), .double(let b)) = (a, b), a.isNaN, b.isNaN { return true }
        return try equal(a, b)
    }

    /// Nil when the kinds have no common order.
    mutating func order(_ a: CELValue, _ b: CELValue) throws(CELFailureReason) -> NumberOrder? {
        switch (a, b) {
        case (.bool(let a), .bool(let b)): return NumberOrder(a ? 1 : 0, b ? 1 : 0)
        case (.int(let a), .int(let b)): return NumberOrder(a, b)
        case (.double(let a), .double(let b)): return a.isNaN || b.isNaN ? .unordered : NumberOrder(a, b)
        case (.int(let a), .double(let b)): return NumberOrder.compare(a, b)
        case (.double(let a), .int(let b)): return NumberOrder.compare(b, a).reversed
        case (.string(let a), .string(let b)):
            try use(min(a.utf8.count, b.utf8.count) / Self.bytesPerUnit)
            return a.utf8.span.order(to: b.utf8.span)
        case (.bytes(let a), .bytes(let b)):
            try use(min(a.count, b.count) / Self.bytesPerUnit)
            return a.span.order(to: b.span)
        case (.timestamp(let a), .timestamp(let b)): return NumberOrder(a, b)
        case (.duration(let a), .duration(let b)): return NumberOrder(a, b)
        default: return nil
        }
    }
}

enum NumberOrder {
    case less, equal, greater
    /// One of them is not a number.
    case unordered

    init<Number: Comparable>(_ a: Number, _ b: Number) { self = a < b ? .less : a == b ? .equal : .greater }

    /// Exact: an integer that no double can express differs from each of its neighbours.
    static func compare(_ integer: Int64, _ number: Double) -> NumberOrder {
        if number.isNaN { return .unordered }
        guard let whole = Int64(truncating: number) else { return number > 0 ? .less : .greater }
        // A double without its fraction is exact.
        return integer != whole ? NumberOrder(integer, whole) : NumberOrder(Double(whole), number)
    }

    var reversed: NumberOrder {
        switch self {
        case .less: .greater
        case .greater: .less
        case .equal, .unordered: self
        }
    }
}

extension Span<UInt8> {
    func hasSameBytes(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in indices where self[index] != other[index] { return false }
        return true
    }

    /// The order of the bytes of UTF-8 is the order of the code points.
    func order(to other: Span<UInt8>) -> NumberOrder {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
            return NumberOrder(self[index], other[index])
        }
        return NumberOrder(count, other.count)
    }
}

extension Int64 {
    /// The number without its fraction; nil when it does not fit. The conversions of the standard library that check need libm.
    init?(truncating number: Double) {
        guard number >= -0x1p63, number < 0x1p63 else { return nil }
        self = Int64(number)
    }
}

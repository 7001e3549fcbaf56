/// Validates UTF-8 (RFC 3629) that arrives in pieces cut anywhere, and refuses the first byte that cannot occur at its position.
///
/// Invariant: between two calls at most one character is incomplete. `missing` of its bytes are still to come, and the next one must lie
/// within `lower…upper`.
struct UTF8Validator: Equatable, Sendable {
    private var missing: UInt8 = 0
    private var lower: UInt8 = 0x80
    private var upper: UInt8 = 0xBF

    /// Whether the text may end here.
    var isComplete: Bool { missing == 0 }

    /// False at the first impossible byte; the validator must not be used after that.
    mutating func consume(_ bytes: Span<UInt8>) -> Bool {
        var position = 0
        let count = bytes.count
        while position < count {
            if missing == 0 {
                guard let stop = Self.firstIncomplete(bytes, from: position) else { return true }
                position = stop
                guard begin(bytes[position]) else { return false }
            } else {
                let byte = bytes[position]
                guard lower <= byte && byte <= upper else { return false }
                missing &-= 1
                lower = 0x80
                upper = 0xBF
            }
            position &+= 1
        }
        return true
    }

    /// RFC 3629 §4: the bytes that each first byte allows after it. Overlong forms, surrogates and values above U+10FFFF have no row.
    @inline(__always)
    private mutating func begin(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, lower) = (2, 0xA0)
        case 0xED: (missing, upper) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, lower) = (3, 0x90)
        case 0xF4: (missing, upper) = (3, 0x8F)
        case 0xF1...0xF3: missing = 3
        default: return false
        }
        return true
    }

    /// The offset of the first character from `start` on that is wrong or cut off; nil when there is none. The standard library finds it
    /// faster than a state machine does; `consume` then decides which of the two it is.
    @inline(__always)
    private static func firstIncomplete(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: bytes.extracting(droppingFirst: start))
            return nil
        } catch {
            return start &+ error.byteOffsets.lowerBound
        }
    }
}

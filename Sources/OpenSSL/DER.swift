/// The little of X.690's distinguished encoding that signatures and public keys need, so that no key is built through pointers.
enum DER {
    static func sequence(_ elements: [UInt8]...) -> [UInt8] {
        element(tag: 0x30, elements.flatMap(\.self))
    }

    /// X.690 §8.3: the shortest two's complement form; a set high bit would read as negative.
    static func integer(_ magnitude: some Collection<UInt8>) -> [UInt8] {
        var digits = Array(magnitude.drop { $0 == 0 })
        if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
        return element(tag: 0x02, digits)
    }

    /// X.690 §8.6, a whole number of bytes.
    static func bitString(_ bytes: [UInt8]) -> [UInt8] {
        element(tag: 0x03, [0] + bytes)
    }

    static let null: [UInt8] = [0x05, 0x00]

    static func element(tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        [tag] + length(content.count) + content
    }

    /// X.690 §8.1.3, §10.1: the shortest form.
    private static func length(_ count: Int) -> [UInt8] {
        if count < 0x80 { return [UInt8(truncatingIfNeeded: count)] }
        var digits: [UInt8] = []
        var rest = count
        while rest > 0 {
            digits.insert(UInt8(truncatingIfNeeded: rest), at: 0)
            rest >>= 8
        }
        return [0x80 | UInt8(truncatingIfNeeded: digits.count)] + digits
    }
}

/// Reads elements of up to 255 bytes, which is what the longest ECDSA signature needs.
struct DERReader {
    private(set) var bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    var isAtEnd: Bool { bytes.isEmpty }

    /// The content of the next element, when it has that tag and lies wholly inside.
    mutating func element(tag: UInt8) -> DERReader? {
        guard bytes.popFirst() == tag, let first = bytes.popFirst() else { return nil }
        let count: Int
        switch first {
        case 0..<0x80:
            count = Int(first)
        case 0x81:
            guard let long = bytes.popFirst() else { return nil }
            count = Int(long)
        default:
            return nil
        }
        guard count <= bytes.count else { return nil }
        defer { bytes.removeFirst(count) }
        return DERReader(bytes.prefix(count))
    }
}

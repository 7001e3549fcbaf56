/// SplitMix64: the same seed gives the same test everywhere.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }

    public mutating func chance(_ oneIn: Int) -> Bool { Int.random(in: 0..<oneIn, using: &self) == 0 }

    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int.random(in: elements.indices, using: &self)] }
}

/// Spoils bytes the way a careless or hostile peer would: flips, cuts, repeats, splices, and the bytes JSON cares about.
public struct Mutator {
    public static let telling: [UInt8] = [
        0x00, 0x0A, 0x20, 0x22, 0x2C, 0x2D, 0x2E, 0x30, 0x39, 0x3A, 0x5B, 0x5C, 0x5D, 0x65, 0x75, 0x7B, 0x7D, 0x80, 0xC3, 0xED, 0xFF,
    ]

    public static func mutate(_ bytes: [UInt8], with corpus: [[UInt8]], using random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard !bytes.isEmpty else { return bytes }
            let i = Int.random(in: bytes.indices, using: &random)
            let j = Int.random(in: i...min(i + 16, bytes.count), using: &random)
            switch Int.random(in: 0..<7, using: &random) {
            case 0: bytes[i] = random.pick(telling)
            case 1: bytes[i] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes.insert(random.pick(telling), at: i)
            case 3: bytes.removeSubrange(i..<j)
            case 4: bytes.insert(contentsOf: bytes[i..<j], at: j)
            case 5: bytes.removeSubrange(i...)
            default:
                let other = random.pick(corpus)
                let k = Int.random(in: 0...other.count, using: &random)
                bytes.replaceSubrange(i..<j, with: other[k..<min(k + 24, other.count)])
            }
        }
        return bytes
    }
}

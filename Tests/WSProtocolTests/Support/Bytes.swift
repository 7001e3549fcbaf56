/// `"81 05 48"` as bytes.
func hex(_ text: String) -> [UInt8] {
    text.split { $0 == " " || $0 == "\n" }.map { UInt8($0, radix: 16) ?? { fatalError("not hex: \(text)") }() }
}

extension [UInt8] {
    init(_ span: Span<UInt8>) {
        self.init()
        for index in span.indices { append(span[index]) }
    }

    /// As a client sends it: the frame given unmasked, masked with `key`.
    func masked(_ key: UInt32 = 0x21F0_7A3D) -> [UInt8] {
        let length: Int
        switch self[1] {
        case 126: length = 4
        case 127: length = 10
        default: length = 2
        }
        var out = Array(self[..<length])
        out[1] |= 0x80
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: key >> UInt32(8 * $0)) }
        out += bytes
        for (index, byte) in self[length...].enumerated() { out.append(byte ^ bytes[index % 4]) }
        return out
    }
}

/// A frame written the long way, independent of the encoder under test.
func frame(_ opcode: UInt8, _ payload: [UInt8], fin: Bool = true, rsv: UInt8 = 0) -> [UInt8] {
    var out: [UInt8] = [(fin ? 0x80 : 0) | rsv << 4 | opcode]
    if payload.count < 126 {
        out.append(UInt8(payload.count))
    } else if payload.count < 65_536 {
        out += [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    } else {
        out.append(127)
        for shift in stride(from: 56, through: 0, by: -8) { out.append(UInt8(payload.count >> shift & 0xFF)) }
    }
    return out + payload
}

func frame(_ opcode: UInt8, _ text: String, fin: Bool = true, rsv: UInt8 = 0) -> [UInt8] {
    frame(opcode, Array(text.utf8), fin: fin, rsv: rsv)
}

/// A small generator whose whole sequence follows from its seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

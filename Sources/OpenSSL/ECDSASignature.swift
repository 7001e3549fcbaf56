/// One ECDSA signature (r, s) in its two written forms: the fixed-width one of RFC 7518 §3.4 (IEEE P1363) that JOSE uses,
/// and the DER sequence that libcrypto takes and makes.
struct ECDSASignature {
    /// Both as wide as the field, big-endian.
    private let r: [UInt8]
    private let s: [UInt8]

    /// r and s, each padded to the curve's field width; any other length is no signature.
    init?(fixedWidth bytes: Span<UInt8>, curve: Curve) {
        let width = curve.fieldByteCount
        guard bytes.count == 2 * width else { return nil }
        r = (0..<width).map { bytes[$0] }
        s = (width..<(2 * width)).map { bytes[$0] }
    }

    /// As libcrypto writes it when signing; nil when it is anything but two integers of at most the field's width.
    init?(der: [UInt8], curve: Curve) {
        var reader = DERReader(der[...])
        guard var body = reader.element(tag: 0x30), reader.isAtEnd,
            let r = body.element(tag: 0x02), let s = body.element(tag: 0x02), body.isAtEnd,
            let paddedR = Self.padded(r.bytes, to: curve.fieldByteCount),
            let paddedS = Self.padded(s.bytes, to: curve.fieldByteCount)
        else { return nil }
        self.r = paddedR
        self.s = paddedS
    }

    var fixedWidth: [UInt8] { r + s }

    var der: [UInt8] { DER.sequence(DER.integer(r), DER.integer(s)) }

    private static func padded(_ digits: ArraySlice<UInt8>, to width: Int) -> [UInt8]? {
        let significant = digits.drop { $0 == 0 }
        guard significant.count <= width else { return nil }
        return [UInt8](repeating: 0, count: width - significant.count) + significant
    }
}

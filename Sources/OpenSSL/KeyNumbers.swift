/// The prime curves of RFC 7518 §6.2.1.1.
public enum Curve: CaseIterable, Hashable, Sendable {
    case p256, p384, p521

    /// The width of a coordinate and of each half of a signature (RFC 7518 §3.4, §6.2.1.2).
    public var fieldByteCount: Int {
        switch self {
        case .p256: 32
        case .p384: 48
        case .p521: 66
        }
    }

    var groupName: String {
        switch self {
        case .p256: "prime256v1"
        case .p384: "secp384r1"
        case .p521: "secp521r1"
        }
    }
}

/// The Edwards curves of RFC 8037 that can sign.
public enum EdwardsCurve: CaseIterable, Hashable, Sendable {
    case ed25519, ed448

    public var publicKeyByteCount: Int {
        switch self {
        case .ed25519: 32
        case .ed448: 57
        }
    }

    public var signatureByteCount: Int { 2 * publicKeyByteCount }

    var keyTypeName: String {
        switch self {
        case .ed25519: "ED25519"
        case .ed448: "ED448"
        }
    }
}

/// What a public key is made of; all numbers big-endian, unsigned.
public enum KeyNumbers: Equatable, Sendable {
    /// Without leading zeros when read from a key.
    case rsa(modulus: [UInt8], exponent: [UInt8])
    /// Both coordinates exactly as wide as the field.
    case elliptic(Curve, x: [UInt8], y: [UInt8])
    case edwards(EdwardsCurve, [UInt8])
}

extension KeyNumbers {
    /// SubjectPublicKeyInfo (RFC 5280 §4.1.2.7) with the algorithm identifiers of RFC 3279, RFC 5480 and RFC 8410.
    func subjectPublicKeyInfo() throws(KeyFailure) -> [UInt8] {
        switch self {
        case .rsa(let modulus, let exponent):
            guard !modulus.isEmpty, !exponent.isEmpty else { throw .invalid("empty RSA number") }
            return DER.sequence(
                DER.sequence(Self.rsaEncryption, DER.null),
                DER.bitString(DER.sequence(DER.integer(modulus), DER.integer(exponent))))
        case .elliptic(let curve, let x, let y):
            // RFC 7518 §6.2.1.2: the full width, leading zeros included.
            guard x.count == curve.fieldByteCount, y.count == curve.fieldByteCount else {
                throw .invalid("width of a coordinate")
            }
            // SEC 1 §2.3.3: an uncompressed point.
            return DER.sequence(DER.sequence(Self.ecPublicKey, curve.identifier), DER.bitString([0x04] + x + y))
        case .edwards(let curve, let bytes):
            guard bytes.count == curve.publicKeyByteCount else { throw .invalid("width of a public key") }
            return DER.sequence(DER.sequence(curve.identifier), DER.bitString(bytes))
        }
    }

    /// 1.2.840.113549.1.1.1
    private static let rsaEncryption: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
    /// 1.2.840.10045.2.1
    private static let ecPublicKey: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
}

extension Curve {
    /// 1.2.840.10045.3.1.7, 1.3.132.0.34, 1.3.132.0.35
    fileprivate var identifier: [UInt8] {
        switch self {
        case .p256: [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
        case .p384: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]
        case .p521: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]
        }
    }
}

extension EdwardsCurve {
    /// 1.3.101.112, 1.3.101.113
    fileprivate var identifier: [UInt8] {
        switch self {
        case .ed25519: [0x06, 0x03, 0x2B, 0x65, 0x70]
        case .ed448: [0x06, 0x03, 0x2B, 0x65, 0x71]
        }
    }
}

/// How a signature is made with a key pair.
public enum SignatureScheme: Hashable, Sendable {
    /// RFC 8017 §8.2.
    case rsaPKCS1(Digest)
    /// RFC 8017 §8.1, MGF1 with the same digest and a salt as long as the digest (RFC 7518 §3.5).
    case rsaPSS(Digest)
    /// The signature in its fixed-width form (RFC 7518 §3.4).
    case ecdsa(Digest)
    /// RFC 8032, pure.
    case edwards
}

/// Why a key could not be used.
public enum KeyFailure: Error, Equatable, Sendable {
    /// libcrypto refuses the numbers: a point off its curve, a wrong width, an impossible exponent.
    case invalid(String)
    /// A PEM text that holds no key of the expected sort, or one behind a passphrase.
    case unreadablePEM(String)
    /// A key of a family that JOSE signatures do not use.
    case unsupportedType(String)
    /// The key cannot make that kind of signature.
    case wrongScheme
    case libcrypto(OpenSSLFailure)
}

import Bytes
internal import JSON
public import OpenSSL

/// A key that can check signatures, bound to the algorithms it may be used with.
public struct VerificationKey: Sendable {
    enum Material: Sendable {
        case secret(SecretKey)
        case publicKey(PublicKey)
    }

    /// The `kid` under which tokens name it; nil answers only tokens without a `kid`.
    public let id: String?
    public let algorithms: Set<Algorithm>
    /// RFC 7638, SHA-256: equal for equal keys. Of a secret it must not be published.
    let thumbprint: [UInt8]
    let material: Material

    /// - Parameter algorithm: narrows the key to one algorithm, as `alg` in a JWK does; nil leaves all that its family can have.
    public init(_ key: PublicKey, id: String?, algorithm: Algorithm? = nil) throws(UnusableKey) {
        let numbers: KeyNumbers
        do { numbers = try key.numbers() } catch { throw .invalidNumbers }
        try numbers.judge()
        algorithms = try Self.narrowed(Algorithm.possible(for: key.family), to: algorithm)
        self.id = id
        thumbprint = numbers.thumbprint
        material = .publicKey(key)
    }

    /// An HMAC secret; at least 32 bytes for HS256, 48 for HS384, 64 for HS512.
    public init(secret: [UInt8], id: String?, algorithm: Algorithm? = nil) throws(UnusableKey) {
        let possible = Algorithm.possible(forSecretOf: secret.count)
        guard !possible.isEmpty else { throw .tooShort }
        algorithms = try Self.narrowed(possible, to: algorithm)
        self.id = id
        let key = SecretKey(secret.span)
        thumbprint = key.digestOfSecret(.sha256)
        material = .secret(key)
    }

    var isSecret: Bool {
        switch material {
        case .secret: true
        case .publicKey: false
        }
    }

    /// nil: not a key for this algorithm.
    func check(by algorithm: Algorithm) -> SignatureCheck? {
        // `KeySet.candidates` has chosen by this already; here no caller can forget it.
        guard algorithms.contains(algorithm) else { return nil }
        switch (algorithm.means, material) {
        case (.authenticationCode(let digest), .secret(let key)): return .code(key, digest)
        case (.signature(let scheme), .publicKey(let key)): return SignatureChecker(key, scheme: scheme).map { .signature($0) }
        case (.authenticationCode, .publicKey), (.signature, .secret): return nil
        }
    }

    private static func narrowed(
        _ possible: Set<Algorithm>, to algorithm: Algorithm?
    ) throws(UnusableKey) -> Set<Algorithm> {
        guard let algorithm else { return possible }
        guard possible.contains(algorithm) else { throw .algorithmMismatch }
        return [algorithm]
    }
}

extension VerificationKey: Equatable {
    public static func == (a: VerificationKey, b: VerificationKey) -> Bool {
        a.id == b.id && a.algorithms == b.algorithms && a.isSecret == b.isSecret && a.thumbprint == b.thumbprint
    }
}

extension VerificationKey: CustomStringConvertible {
    /// Nothing of the key itself: of a secret even the thumbprint would say too much.
    public var description: String {
        "\(id ?? "without kid"): \(algorithms.map(\.rawValue).sorted().joined(separator: " "))"
    }
}

/// Why a key is left out of a set.
public enum UnusableKey: String, Error, Equatable, Sendable {
    case notAnObject = "not_an_object"
    /// A member is missing, of the wrong kind, or not base64url.
    case malformed
    case unknownType = "unknown_type"
    case unknownCurve = "unknown_curve"
    /// `use` is not `sig`, or `key_ops` lacks `verify`.
    case notForVerifying = "not_for_verifying"
    /// `alg` names none of ours.
    case unknownAlgorithm = "unknown_algorithm"
    /// `alg` names one that the key cannot have.
    case algorithmMismatch = "algorithm_mismatch"
    /// An RSA modulus under 2 048 bits (RFC 7518 §3.3), or a secret shorter than its hash (§3.2).
    case tooShort = "too_short"
    /// An RSA modulus beyond 8 192 bits: checking one signature would hold a loop for milliseconds.
    case tooLong = "too_long"
    /// An RSA exponent that is even or below 3.
    case weakExponent = "weak_exponent"
    /// Made by the Infineon library of CVE-2017-15361, so its private half can be computed.
    case factorable
    /// Off the curve, or otherwise refused by libcrypto.
    case invalidNumbers = "invalid_numbers"
    /// A shared secret where only public keys belong.
    case secretNotAllowed = "secret_not_allowed"

    /// Whether the key was meant for us and is no good, rather than being for another purpose or another reader.
    var isDefect: Bool {
        switch self {
        case .malformed, .algorithmMismatch, .tooShort, .tooLong, .weakExponent, .factorable, .invalidNumbers: true
        case .notAnObject, .unknownType, .unknownCurve, .notForVerifying, .unknownAlgorithm, .secretNotAllowed: false
        }
    }
}

extension KeyNumbers {
    /// Keys that libcrypto would accept but that are too weak.
    func judge() throws(UnusableKey) {
        guard case .rsa(let modulus, let exponent) = self else { return }
        let bits = modulus.bitWidth
        guard bits >= 2_048 else { throw .tooShort }
        guard bits <= 8_192 else { throw .tooLong }
        guard exponent.bitWidth >= 2, exponent.last.map({ $0 & 1 == 1 }) == true else { throw .weakExponent }
        guard !ROCA.hasFingerprint(modulus) else { throw .factorable }
    }

    /// RFC 7638 §3: the required members in lexical order, no white space, SHA-256.
    var thumbprint: [UInt8] {
        var text: [UInt8] = []
        JSONValue.object(canonicalMembers).write(into: &text)
        return Digest.sha256.hash(text.span)
    }

    /// The members of the JWK that make the key what it is, in lexical order.
    var canonicalMembers: JSONObject {
        var members = JSONObject()
        switch self {
        case .rsa(let modulus, let exponent):
            members["e"] = .string(Base64URL.encode(exponent))
            members["kty"] = "RSA"
            members["n"] = .string(Base64URL.encode(modulus))
        case .elliptic(let curve, let x, let y):
            members["crv"] = .string(curve.jwkName)
            members["kty"] = "EC"
            members["x"] = .string(Base64URL.encode(x))
            members["y"] = .string(Base64URL.encode(y))
        case .edwards(let curve, let bytes):
            members["crv"] = .string(curve.jwkName)
            members["kty"] = "OKP"
            members["x"] = .string(Base64URL.encode(bytes))
        }
        return members
    }
}

extension Curve {
    /// RFC 7518 §6.2.1.1.
    var jwkName: String {
        switch self {
        case .p256: "P-256"
        case .p384: "P-384"
        case .p521: "P-521"
        }
    }
}

extension EdwardsCurve {
    /// RFC 8037 §2.
    var jwkName: String {
        switch self {
        case .ed25519: "Ed25519"
        case .ed448: "Ed448"
        }
    }
}

extension [UInt8] {
    /// Significant bits of a big-endian number.
    fileprivate var bitWidth: Int {
        let digits = drop { $0 == 0 }
        guard let first = digits.first else { return 0 }
        return digits.count * 8 - first.leadingZeroBitCount
    }
}

/// Recognizes RSA moduli made by the library of CVE-2017-15361 (Nemec et al., "The Return of Coppersmith's Attack", 2017):
/// both primes have the form k·M + (65537^a mod M) with M a product of small primes, so the modulus is a power of 65537
/// modulo each of those. A random modulus passes all 38 tests with a probability of about 2^-28 for such key sizes.
enum ROCA {
    private static let primes: [UInt32] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127,
        131, 137, 139, 149, 151, 157, 163, 167,
    ]

    static func hasFingerprint(_ modulus: [UInt8]) -> Bool {
        primes.allSatisfy { prime in
            let residue = modulus.reduce(UInt32(0)) { ($0 << 8 | UInt32($1)) % prime }
            var power: UInt32 = 1
            repeat {
                if power == residue { return true }
                power = power * (65_537 % prime) % prime
            } while power != 1
            return false
        }
    }
}

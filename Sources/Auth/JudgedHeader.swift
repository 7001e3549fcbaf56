internal import OpenSSL

/// A key made ready for one algorithm. Belongs to one thread.
enum SignatureCheck {
    case code(SecretKey, Digest)
    case signature(SignatureChecker)

    func isValid(_ signature: Span<UInt8>, for message: Span<UInt8>) -> Bool {
        switch self {
        case .code(let key, let digest): key.isValid(signature, for: message, digest: digest)
        case .signature(let checker): checker.isValid(signature, for: message)
        }
    }
}

/// A header that was read and judged, with the keys it leaves to try. All of it follows from the header's bytes, the keys and the policy:
/// an issuer writes the same header into every token, so one check is enough for all of them.
struct JudgedHeader {
    /// As JSON.
    let bytes: [UInt8]
    let algorithm: Algorithm
    private let checks: [(key: VerificationKey, check: SignatureCheck)]

    /// A token that names what we do not allow costs no signature check.
    init(_ bytes: [UInt8], _ header: JOSEHeader, keys: KeySet, policy: TokenPolicy) throws(TokenRejection) {
        let algorithm = try header.judged(by: policy)
        self.bytes = bytes
        self.algorithm = algorithm
        checks = try keys.candidates(keyID: header.keyID, algorithm: algorithm).compactMap { key in
            key.check(by: algorithm).map { (key, $0) }
        }
    }

    /// The key whose signature it is.
    @discardableResult
    func check(_ token: CompactJWS, in text: Span<UInt8>) throws(TokenRejection) -> VerificationKey {
        let message = text.extracting(first: token.signedByteCount)
        for (key, check) in checks where check.isValid(token.signature.span, for: message) { return key }
        throw .badSignature
    }
}

/// The headers of recently accepted tokens. Other headers are not kept, so that only the owner of a key can evict one.
struct JudgedHeaders {
    /// More than an issuer with a new key beside an old one has.
    static let most = 8
    private var headers: [JudgedHeader] = []

    func header(_ bytes: [UInt8]) -> JudgedHeader? {
        for header in headers where header.bytes == bytes { return header }
        return nil
    }

    mutating func insert(_ header: JudgedHeader) {
        if headers.count == Self.most { headers.removeFirst() }
        headers.append(header)
    }

    mutating func removeAll() { headers.removeAll() }
}

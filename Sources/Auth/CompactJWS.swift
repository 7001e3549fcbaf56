import Bytes
internal import JSON

/// A JWS in compact serialization (RFC 7515 §7.1), taken apart and not yet judged.
struct CompactJWS {
    /// JSON, not read yet.
    let header: [UInt8]
    let payload: [UInt8]
    let signature: [UInt8]
    /// Bytes of the token that the signature covers: everything before the second dot (RFC 7515 §5.2 step 8).
    let signedByteCount: Int

    init(_ token: Span<UInt8>) throws(TokenRejection) {
        guard let first = Self.dot(in: token, from: 0), let second = Self.dot(in: token, from: first + 1),
            Self.dot(in: token, from: second + 1) == nil
        else { throw .malformed(.structure) }
        guard let header = Base64URL.decode(token.extracting(0..<first)) else { throw .malformed(.header) }
        guard let payload = Base64URL.decode(token.extracting((first + 1)..<second)) else { throw .malformed(.payload) }
        guard let signature = Base64URL.decode(token.extracting((second + 1)..<token.count)) else { throw .malformed(.signature) }
        self.header = header
        self.payload = payload
        self.signature = signature
        signedByteCount = second
    }

    private static let blockBytes = 32

    /// The index of the first dot from `start` on. Searches in blocks of constant size, which the compiler turns into vector instructions.
    private static func dot(in token: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index &+ blockBytes <= token.count {
            let block = token.extracting(index..<(index &+ blockBytes))
            var found: UInt8 = 0
            for offset in 0..<blockBytes { found |= block[offset] == UInt8(ascii: ".") ? 1 : 0 }
            guard found == 0 else { break }
            index &+= blockBytes
        }
        while index < token.count {
            if token[index] == UInt8(ascii: ".") { return index }
            index &+= 1
        }
        return nil
    }
}

/// The header parameters that this verifier reads (RFC 7515 §4.1). `jku`, `jwk`, `x5u`, `x5c` and the thumbprints are never
/// read: a key comes from the configuration, never from the token itself (RFC 8725 §3.10).
struct JOSEHeader {
    let algorithm: String
    let keyID: String?
    let type: String?
    let isCritical: Bool
    let namesPayloadEncoding: Bool

    /// Headers are flat except for `jwk`, which is ignored.
    private static let limits = JSONLimits(maximumDepth: 4, maximumValues: 64, refusesNUL: true)

    init(_ bytes: [UInt8]) throws(TokenRejection) {
        let members = try JSONObject(strictly: bytes, .header, limits: Self.limits)
        guard let algorithm = members["alg"]?.string else { throw .malformed(.header) }
        self.algorithm = algorithm
        keyID = try Self.text("kid", in: members)
        type = try Self.text("typ", in: members)
        isCritical = members["crit"] != nil
        namesPayloadEncoding = members["b64"] != nil
    }

    private static func text(_ name: String, in members: JSONObject) throws(TokenRejection) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.string else { throw .malformed(.header) }
        return text
    }
}

extension JOSEHeader {
    /// Applies all rules for headers; returns the algorithm the signature must be checked with.
    func judged(by policy: TokenPolicy) throws(TokenRejection) -> Algorithm {
        guard !isCritical else { throw .criticalHeader }
        guard !namesPayloadEncoding else { throw .unencodedPayload }
        guard let algorithm = Algorithm(rawValue: algorithm), policy.algorithms.contains(algorithm) else {
            throw .algorithmNotAllowed
        }
        guard accepts(type, by: policy) else { throw .wrongType }
        return algorithm
    }

    private func accepts(_ type: String?, by policy: TokenPolicy) -> Bool {
        guard let type else { return policy.acceptsAbsentType }
        return policy.types.contains { Self.mediaType($0) == Self.mediaType(type) }
    }

    /// RFC 7515 §4.1.9: `application/` is implied where no other slash is; media types ignore case.
    private static func mediaType(_ text: String) -> [UInt8] {
        let lower = text.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        return lower.contains(UInt8(ascii: "/")) ? lower : Array("application/".utf8) + lower
    }
}

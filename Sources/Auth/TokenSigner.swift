import Bytes
public import JSON
public import OpenSSL

/// Signs tokens with the hub's own key; for development and tests. In production an identity provider does this.
public struct TokenSigner: Sendable {
    /// The `kid` of its tokens: the key's thumbprint (RFC 7638), so it follows from the key alone.
    public let keyID: String
    public let algorithm: Algorithm
    private let key: PrivateKey
    private let scheme: SignatureScheme
    private let numbers: KeyNumbers

    /// RSA keys sign with RS256, the others with the algorithm of their curve.
    public init(_ key: PrivateKey) throws(KeyFailure) {
        self.key = key
        numbers = try key.publicKey.numbers()
        keyID = Base64URL.encode(numbers.thumbprint)
        switch key.publicKey.family {
        case .rsa: (algorithm, scheme) = (.rs256, .rsaPKCS1(.sha256))
        case .elliptic(.p256): (algorithm, scheme) = (.es256, .ecdsa(.sha256))
        case .elliptic(.p384): (algorithm, scheme) = (.es384, .ecdsa(.sha384))
        case .elliptic(.p521): (algorithm, scheme) = (.es512, .ecdsa(.sha512))
        case .edwards: (algorithm, scheme) = (.edDSA, .edwards)
        }
    }

    /// A new key pair (ES256 by default).
    public static func generate(_ family: PublicKey.Family = .elliptic(.p256)) throws(KeyFailure) -> TokenSigner {
        try TokenSigner(try PrivateKey.generate(family))
    }

    /// The key as `pem()` wrote it.
    public init(pem: String) throws(KeyFailure) {
        try self.init(try PrivateKey(pem: pem))
    }

    /// PKCS#8, unencrypted: store it readable by its owner only.
    public func pem() throws(KeyFailure) -> String { try key.pem() }

    /// The JWK Set that verifies these tokens; no private part.
    public var jwks: String {
        var members = numbers.canonicalMembers
        members["use"] = "sig"
        members["alg"] = .string(algorithm.rawValue)
        members["kid"] = .string(keyID)
        return (["keys": .array([.object(members)])] as JSONValue).text
    }

    /// The same, ready for a verifier.
    public func keySet() throws(KeyFailure) -> KeySet {
        do {
            return KeySet(keys: [try VerificationKey(key.publicKey, id: keyID, algorithm: algorithm)])
        } catch {
            throw .invalid(error.rawValue)
        }
    }

    /// A compact JWS over `claims` (RFC 7515 §7.1), `typ` JWT.
    public func token(claims: JSONObject) throws(KeyFailure) -> String {
        let header: JSONValue = ["alg": .string(algorithm.rawValue), "kid": .string(keyID), "typ": "JWT"]
        let signed = Base64URL.encode(header.text.utf8) + "." + Base64URL.encode(JSONValue.object(claims).text.utf8)
        let signature = try key.signature(for: signed.utf8.span, scheme: scheme)
        return signed + "." + Base64URL.encode(signature)
    }

    /// A token for `principal`, with the hub's default claim names. Times come from the principal.
    public func token(for principal: Principal, issuer: String, audience: String) throws(KeyFailure) -> String {
        var claims = JSONObject()
        claims["sub"] = .string(principal.subject)
        claims["iss"] = .string(issuer)
        claims["aud"] = .string(audience)
        claims["exp"] = .number(JSONNumber(principal.expiresAt))
        claims["iat"] = principal.issuedAt.map { .number(JSONNumber($0)) }
        claims["jti"] = principal.tokenID.map { .string($0) }
        claims["institution"] = principal.institution.map { .string($0) }
        claims["roles"] = .array(principal.roles.map { .string($0) })
        if !principal.channels.isEmpty { claims["channels"] = .array(principal.channels.map { .string($0) }) }
        return try token(claims: claims)
    }
}

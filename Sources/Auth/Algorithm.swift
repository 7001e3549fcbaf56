internal import OpenSSL

/// The signature algorithms a token may name (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). There is no case for `none`.
public enum Algorithm: String, CaseIterable, Hashable, Sendable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    /// Either Edwards curve; the two after it name theirs and replace it in new systems.
    case edDSA = "EdDSA"
    case ed25519 = "Ed25519"
    case ed448 = "Ed448"

    /// What it takes to check or make such a signature.
    enum Means: Equatable {
        case authenticationCode(Digest)
        case signature(SignatureScheme)
    }

    var means: Means {
        switch self {
        case .hs256: .authenticationCode(.sha256)
        case .hs384: .authenticationCode(.sha384)
        case .hs512: .authenticationCode(.sha512)
        case .rs256: .signature(.rsaPKCS1(.sha256))
        case .rs384: .signature(.rsaPKCS1(.sha384))
        case .rs512: .signature(.rsaPKCS1(.sha512))
        case .ps256: .signature(.rsaPSS(.sha256))
        case .ps384: .signature(.rsaPSS(.sha384))
        case .ps512: .signature(.rsaPSS(.sha512))
        case .es256: .signature(.ecdsa(.sha256))
        case .es384: .signature(.ecdsa(.sha384))
        case .es512: .signature(.ecdsa(.sha512))
        case .edDSA, .ed25519, .ed448: .signature(.edwards)
        }
    }

    /// The algorithms a public key of this family can have: a prime curve has exactly one (RFC 7518 §3.4), RSA six.
    static func possible(for family: PublicKey.Family) -> Set<Algorithm> {
        switch family {
        case .rsa: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
        case .elliptic(.p256): [.es256]
        case .elliptic(.p384): [.es384]
        case .elliptic(.p521): [.es512]
        case .edwards(.ed25519): [.edDSA, .ed25519]
        case .edwards(.ed448): [.edDSA, .ed448]
        }
    }

    /// RFC 7518 §3.2: an HMAC key is at least as long as the hash's output.
    static func possible(forSecretOf byteCount: Int) -> Set<Algorithm> {
        Set(
            [(Algorithm.hs256, Digest.sha256), (.hs384, .sha384), (.hs512, .sha512)]
                .filter { byteCount >= $0.1.byteCount }.map(\.0))
    }
}

internal import COpenSSL

/// The public half of a signature key pair: RSA, an elliptic curve of RFC 7518, or an Edwards curve of RFC 8037.
public final class PublicKey: Sendable {
    public enum Family: Hashable, Sendable {
        case rsa(bits: Int)
        case elliptic(Curve)
        case edwards(EdwardsCurve)
    }

    public let family: Family
    let handle: KeyHandle

    /// Builds the key from its numbers and checks them: a point must lie on its curve, and not be the neutral element.
    public convenience init(_ numbers: KeyNumbers) throws(KeyFailure) {
        let encoded = try numbers.subjectPublicKeyInfo()
        let made = unsafe encoded.withUnsafeBufferPointer { buffer in
            var position = buffer.baseAddress
            return unsafe d2i_PUBKEY(nil, &position, buffer.count)
        }
        guard let read = unsafe made else { throw .invalid(OpenSSLFailure.taken(from: "d2i_PUBKEY").reason) }
        try self.init(checking: unsafe KeyHandle(adopting: read))
    }

    /// Reads a SubjectPublicKeyInfo (`-----BEGIN PUBLIC KEY-----`, RFC 7468 §13).
    public convenience init(pem: String) throws(KeyFailure) {
        let text = try MemoryText.holding(pem)
        guard let read = unsafe hub_pem_read_public(text.bio) else {
            throw .unreadablePEM(OpenSSLFailure.taken(from: "PEM_read_bio_PUBKEY").reason)
        }
        try self.init(checking: unsafe KeyHandle(adopting: read))
    }

    init(checking handle: KeyHandle) throws(KeyFailure) {
        family = try handle.family()
        try Self.check(handle)
        self.handle = handle
    }

    /// The numbers of the key, as a JWK writes them.
    public func numbers() throws(KeyFailure) -> KeyNumbers {
        try handle.numbers(of: try handle.family())
    }

    /// SubjectPublicKeyInfo in PEM.
    public func pem() throws(KeyFailure) -> String {
        let text = try MemoryText()
        guard unsafe PEM_write_bio_PUBKEY(text.bio, handle.pointer) == 1 else {
            throw .libcrypto(.taken(from: "PEM_write_bio_PUBKEY"))
        }
        return text.contents
    }

    /// Whether `signature` is one of `message` by this key. A scheme the key cannot have is simply not valid.
    public func isValid(_ signature: Span<UInt8>, for message: Span<UInt8>, scheme: SignatureScheme) -> Bool {
        SignatureChecker(self, scheme: scheme)?.isValid(signature, for: message) ?? false
    }
}

extension PublicKey {
    private static func check(_ handle: KeyHandle) throws(KeyFailure) {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, handle.pointer, nil) else {
            throw .libcrypto(.taken(from: "EVP_PKEY_CTX_new_from_pkey"))
        }
        defer { unsafe EVP_PKEY_CTX_free(context) }
        guard unsafe EVP_PKEY_public_check(context) == 1 else {
            throw .invalid(OpenSSLFailure.taken(from: "EVP_PKEY_public_check").reason)
        }
    }
}

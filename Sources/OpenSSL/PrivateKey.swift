internal import COpenSSL

/// A key pair that can sign. libcrypto wipes the secret when the last reference goes.
public final class PrivateKey: Sendable {
    public let publicKey: PublicKey
    private let handle: KeyHandle

    private init(_ handle: KeyHandle) throws(KeyFailure) {
        self.handle = handle
        // Up-reference: both wrappers free what they hold.
        guard unsafe EVP_PKEY_up_ref(handle.pointer) == 1 else { throw .libcrypto(.taken(from: "EVP_PKEY_up_ref")) }
        publicKey = try PublicKey(checking: unsafe KeyHandle(adopting: handle.pointer))
    }

    public static func generate(_ family: PublicKey.Family) throws(KeyFailure) -> PrivateKey {
        let made: OpaquePointer? =
            switch family {
            case .rsa(let bits): unsafe hub_generate_rsa(bits)
            case .elliptic(let curve): unsafe hub_generate_elliptic(curve.groupName)
            case .edwards(let curve): unsafe hub_generate_edwards(curve.keyTypeName)
            }
        guard let made = unsafe made else { throw .libcrypto(.taken(from: "EVP_PKEY_Q_keygen")) }
        return try PrivateKey(unsafe KeyHandle(adopting: made))
    }

    /// Reads a PKCS#8 key (`-----BEGIN PRIVATE KEY-----`, RFC 7468 §10), or one of the older forms, without a passphrase.
    public convenience init(pem: String) throws(KeyFailure) {
        let text = try MemoryText.holding(pem)
        guard let read = unsafe hub_pem_read_private(text.bio) else {
            throw .unreadablePEM(OpenSSLFailure.taken(from: "PEM_read_bio_PrivateKey").reason)
        }
        try self.init(unsafe KeyHandle(adopting: read))
    }

    /// PKCS#8 in PEM, unencrypted: the caller must protect it by file permissions.
    public func pem() throws(KeyFailure) -> String {
        let text = try MemoryText()
        guard unsafe PEM_write_bio_PrivateKey(text.bio, handle.pointer, nil, nil, 0, nil, nil) == 1 else {
            throw .libcrypto(.taken(from: "PEM_write_bio_PrivateKey"))
        }
        return text.contents
    }

    /// Signs `message`; an ECDSA signature comes in its fixed-width form.
    public func signature(for message: Span<UInt8>, scheme: SignatureScheme) throws(KeyFailure) -> [UInt8] {
        switch (publicKey.family, scheme) {
        case (.rsa, .rsaPKCS1), (.rsa, .rsaPSS), (.edwards, .edwards):
            return try rawSignature(for: message, scheme: scheme)
        case (.elliptic(let curve), .ecdsa):
            let der = try rawSignature(for: message, scheme: scheme)
            guard let signature = ECDSASignature(der: der, curve: curve) else { throw .invalid("signature form") }
            return signature.fixedWidth
        case (.rsa, .ecdsa), (.rsa, .edwards), (.elliptic, .rsaPKCS1), (.elliptic, .rsaPSS), (.elliptic, .edwards),
            (.edwards, .rsaPKCS1), (.edwards, .rsaPSS), (.edwards, .ecdsa):
            throw .wrongScheme
        }
    }

    private func rawSignature(for message: Span<UInt8>, scheme: SignatureScheme) throws(KeyFailure) -> [UInt8] {
        guard let operation = SignatureOperation.started(.sign, key: handle, scheme: scheme) else {
            throw .libcrypto(.taken(from: "EVP_DigestSignInit"))
        }
        guard let signature = operation.signature(of: message) else {
            throw .libcrypto(.taken(from: "EVP_DigestSign"))
        }
        return signature
    }
}

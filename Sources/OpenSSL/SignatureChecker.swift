internal import COpenSSL

/// Checks signatures by one key under one scheme. What libcrypto sets up for the first serves all that follow: a sixth of what an
/// RSA signature costs to check.
///
/// Not Sendable: a check writes into the context. Each thread has its own; the key beneath is shared.
@safe public final class SignatureChecker {
    private let key: PublicKey
    private let scheme: SignatureScheme
    /// nil for the Edwards curves, which take the whole message and not its digest.
    private let hashed: (context: OpaquePointer, digest: Digest)?

    /// nil for a scheme that the key cannot have.
    public init?(_ key: PublicKey, scheme: SignatureScheme) {
        self.key = key
        self.scheme = scheme
        switch (key.family, scheme) {
        case (.rsa, .rsaPKCS1(let digest)), (.rsa, .rsaPSS(let digest)), (.elliptic, .ecdsa(let digest)):
            guard let context = unsafe Self.context(key.handle, scheme, digest) else {
                ERR_clear_error()
                return nil
            }
            unsafe hashed = (context, digest)
        case (.edwards, .edwards): unsafe hashed = nil
        case (.rsa, .ecdsa), (.rsa, .edwards), (.elliptic, .rsaPKCS1), (.elliptic, .rsaPSS), (.elliptic, .edwards),
            (.edwards, .rsaPKCS1), (.edwards, .rsaPSS), (.edwards, .ecdsa):
            return nil
        }
    }

    deinit {
        if let hashed = unsafe hashed { unsafe EVP_PKEY_CTX_free(hashed.context) }
    }

    private static func context(_ key: KeyHandle, _ scheme: SignatureScheme, _ digest: Digest) -> OpaquePointer? {
        guard let context = unsafe EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil) else { return nil }
        var isReady = unsafe EVP_PKEY_verify_init(context) == 1
        // First: without a digest PSS takes SHA-1, which a policy may forbid.
        isReady = unsafe isReady && EVP_PKEY_CTX_set_signature_md(context, digest.algorithm.pointer) == 1
        if case .rsaPSS = scheme {
            isReady = unsafe isReady && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1
            isReady = unsafe isReady && EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1
        }
        if isReady { return unsafe context }
        unsafe EVP_PKEY_CTX_free(context)
        return nil
    }

    /// Whether `signature` is one of `message`; an ECDSA signature in its fixed-width form.
    public func isValid(_ signature: Span<UInt8>, for message: Span<UInt8>) -> Bool {
        switch key.family {
        case .rsa(let bits):
            // RFC 8017 §8.1.2 and §8.2.2, step 1: exactly as long as the modulus.
            return signature.count == (bits + 7) / 8 && verify(signature, message)
        case .elliptic(let curve):
            guard let der = ECDSASignature(fixedWidth: signature, curve: curve)?.der else { return false }
            return verify(der.span, message)
        case .edwards(let curve):
            return signature.count == curve.signatureByteCount && verify(signature, message)
        }
    }

    private func verify(_ signature: Span<UInt8>, _ message: Span<UInt8>) -> Bool {
        // A failed verification leaves its reason on this thread's queue.
        defer { ERR_clear_error() }
        guard let hashed = unsafe hashed else {
            return SignatureOperation.started(.verify, key: key.handle, scheme: scheme)?.isValid(signature, for: message) ?? false
        }
        let digest = unsafe hashed.digest.hash(message)
        return unsafe signature.withUnsafeBufferPointer { signature in
            unsafe digest.withUnsafeBufferPointer { digest in
                unsafe EVP_PKEY_verify(hashed.context, signature.baseAddress, signature.count, digest.baseAddress, digest.count) == 1
            }
        }
    }
}

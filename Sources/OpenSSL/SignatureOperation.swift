internal import COpenSSL

/// One signature being made or checked: a digest context set up for a key and a scheme.
@safe struct SignatureOperation: ~Copyable {
    enum Purpose { case sign, verify }

    private let context: OpaquePointer

    /// nil when libcrypto refuses the combination; its reason is on the error queue.
    init?(_ purpose: Purpose, key: KeyHandle, scheme: SignatureScheme) {
        guard let context = unsafe EVP_MD_CTX_new() else { return nil }
        unsafe self.context = context
        let digest: OpaquePointer? =
            switch scheme {
            case .rsaPKCS1(let digest), .rsaPSS(let digest), .ecdsa(let digest): unsafe digest.algorithm.pointer
            // RFC 8032 hashes by itself.
            case .edwards: nil
            }
        var keyContext: OpaquePointer?
        let started =
            switch purpose {
            case .sign: unsafe EVP_DigestSignInit(context, &keyContext, digest, nil, key.pointer)
            case .verify: unsafe EVP_DigestVerifyInit(context, &keyContext, digest, nil, key.pointer)
            }
        guard started == 1 else { return nil }
        if case .rsaPSS = scheme {
            guard unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1,
                unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return nil }
        }
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
    }

    func isValid(_ signature: Span<UInt8>, for message: Span<UInt8>) -> Bool {
        unsafe signature.withUnsafeBufferPointer { signature in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe EVP_DigestVerify(
                    context, signature.baseAddress, signature.count, message.baseAddress, message.count) == 1
            }
        }
    }

    /// The signature as libcrypto writes it (DER for ECDSA); nil when it fails.
    func signature(of message: Span<UInt8>) -> [UInt8]? {
        unsafe message.withUnsafeBufferPointer { message in
            var count = 0
            guard unsafe EVP_DigestSign(context, nil, &count, message.baseAddress, message.count) == 1 else { return nil }
            let capacity = count
            var done = false
            let signature = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
                done = unsafe EVP_DigestSign(context, buffer.baseAddress, &count, message.baseAddress, message.count) == 1
                filled = done ? min(count, capacity) : 0
            }
            return done ? signature : nil
        }
    }
}

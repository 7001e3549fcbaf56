internal import COpenSSL

/// One signature being made or checked: a digest context set up for a key and a scheme.
@safe struct SignatureOperation: ~Copyable {
    enum Purpose { case sign, verify }

    private let context: OpaquePointer

    private init(adopting context: OpaquePointer) {
        unsafe self.context = context
    }

    /// nil when libcrypto refuses the combination; its reason is on the error queue.
    static func started(_ purpose: Purpose, key: KeyHandle, scheme: SignatureScheme) -> SignatureOperation? {
        guard let context = unsafe EVP_MD_CTX_new() else { return nil }
        let operation = unsafe SignatureOperation(adopting: context)
        guard operation.start(purpose, key: key, scheme: scheme) else { return nil }
        return operation
    }

    private func start(_ purpose: Purpose, key: KeyHandle, scheme: SignatureScheme) -> Bool {
        var keyContext: OpaquePointer?
        let digest = unsafe Self.digest(of: scheme)
        let started =
            switch purpose {
            case .sign: unsafe EVP_DigestSignInit(context, &keyContext, digest, nil, key.pointer)
            case .verify: unsafe EVP_DigestVerifyInit(context, &keyContext, digest, nil, key.pointer)
            }
        guard started == 1 else { return false }
        guard case .rsaPSS = scheme else { return true }
        return unsafe EVP_PKEY_CTX_set_rsa_padding(keyContext, RSA_PKCS1_PSS_PADDING) == 1
            && EVP_PKEY_CTX_set_rsa_pss_saltlen(keyContext, RSA_PSS_SALTLEN_DIGEST) == 1
    }

    private static func digest(of scheme: SignatureScheme) -> OpaquePointer? {
        switch scheme {
        case .rsaPKCS1(let digest), .rsaPSS(let digest), .ecdsa(let digest): unsafe digest.algorithm.pointer
        // RFC 8032 hashes by itself.
        case .edwards: nil
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

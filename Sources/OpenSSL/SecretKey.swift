internal import COpenSSL

/// A shared secret for HMAC (RFC 2104) with SHA-2. Its bytes are wiped when the last reference goes.
///
/// Sendable: the bytes never change between `init` and `deinit`.
@safe public final class SecretKey: @unchecked Sendable {
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    public var byteCount: Int { unsafe bytes.count }

    public init(_ secret: Span<UInt8>) {
        unsafe bytes = .allocate(capacity: secret.count)
        for index in secret.indices {
            unsafe bytes.initializeElement(at: index, to: secret[index])
        }
    }

    deinit {
        unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count)
        unsafe bytes.deallocate()
    }

    /// The authentication code of `message`; as long as the digest.
    public func authenticationCode(for message: Span<UInt8>, digest: Digest) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: digest.byteCount) { output, count in
            let done = unsafe message.withUnsafeBufferPointer { input in
                unsafe HMAC(
                    digest.algorithm.pointer, bytes.baseAddress, Int32(clamping: bytes.count), input.baseAddress,
                    input.count, output.baseAddress, nil)
            }
            // Only an allocation failure inside libcrypto leads here; the process could not go on anyway.
            unsafe precondition(done != nil, "HMAC")
            count = digest.byteCount
        }
    }

    /// Compares in constant time over the whole code; a code of another length is refused (RFC 7518 §3.2).
    public func isValid(_ code: Span<UInt8>, for message: Span<UInt8>, digest: Digest) -> Bool {
        guard code.count == digest.byteCount else { return false }
        let expected = authenticationCode(for: message, digest: digest)
        return unsafe code.withUnsafeBufferPointer { given in
            unsafe CRYPTO_memcmp(expected, given.baseAddress, given.count) == 0
        }
    }

    /// RFC 7638 §3.2 hashes the key itself; the result distinguishes two secrets and must not be published.
    public func digestOfSecret(_ digest: Digest) -> [UInt8] {
        unsafe digest.hash(UnsafeBufferPointer(bytes).span)
    }
}

internal import COpenSSL

/// SHA-2 (FIPS 180-4) in the three sizes that JSON Web Algorithms know.
public enum Digest: CaseIterable, Hashable, Sendable {
    case sha256, sha384, sha512

    public var byteCount: Int {
        switch self {
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    /// The hash of `bytes`, `byteCount` long.
    public func hash(_ bytes: Span<UInt8>) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: byteCount)
        let done = unsafe hash.withUnsafeMutableBufferPointer { output in
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe EVP_Digest(input.baseAddress, input.count, output.baseAddress, nil, algorithm.pointer, nil)
            }
        }
        // Only an allocation failure inside libcrypto leads here; the process could not go on anyway.
        precondition(done == 1, "EVP_Digest")
        return hash
    }

    var algorithm: DigestAlgorithm {
        switch self {
        case .sha256: .sha256
        case .sha384: .sha384
        case .sha512: .sha512
        }
    }
}

/// An implementation fetched from the default provider once: a fetch per signature takes libcrypto's store lock each time.
///
/// Sendable: an `EVP_MD` never changes after it was fetched, and these live as long as the process.
@safe struct DigestAlgorithm: @unchecked Sendable {
    let pointer: OpaquePointer?

    private init(_ name: String) {
        unsafe pointer = EVP_MD_fetch(nil, name, nil)
    }

    static let sha256 = DigestAlgorithm("SHA256")
    static let sha384 = DigestAlgorithm("SHA384")
    static let sha512 = DigestAlgorithm("SHA512")
}

internal import COpenSSL

/// Owns one `EVP_PKEY`.
///
/// Sendable: the key is never changed once it is wrapped here, its reference count is atomic, and every operation makes a
/// context of its own; openssl-threads(7) allows that.
@safe final class KeyHandle: @unchecked Sendable {
    let pointer: OpaquePointer

    init(adopting pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe EVP_PKEY_free(pointer)
    }

    /// What kind of key this is, or a failure when JOSE does not sign with such keys.
    func family() throws(KeyFailure) -> PublicKey.Family {
        // `RSA-PSS` keys are another type and stay out: their parameters would have to be checked against each scheme.
        if isNamed("RSA") {
            return unsafe .rsa(bits: Int(EVP_PKEY_get_bits(pointer)))
        }
        for curve in EdwardsCurve.allCases where isNamed(curve.keyTypeName) {
            return .edwards(curve)
        }
        if isNamed("EC") {
            let group = groupName()
            for curve in Curve.allCases where curve.groupName == group {
                return .elliptic(curve)
            }
            throw .unsupportedType("EC \(group)")
        }
        let name = unsafe EVP_PKEY_get0_type_name(pointer)
        throw unsafe .unsupportedType(name.map { unsafe String(cString: $0) } ?? "unknown")
    }

    private func isNamed(_ type: String) -> Bool {
        unsafe EVP_PKEY_is_a(pointer, type) == 1
    }

    private func groupName() -> String {
        var count = 0
        let name = unsafe [CChar](unsafeUninitializedCapacity: 80) { buffer, filled in
            let done = unsafe EVP_PKEY_get_group_name(pointer, buffer.baseAddress, buffer.count, &count)
            filled = done == 1 ? min(count, 80) : 0
        }
        return String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func numbers(of family: PublicKey.Family) throws(KeyFailure) -> KeyNumbers {
        switch family {
        case .rsa:
            return .rsa(modulus: try number("n"), exponent: try number("e"))
        case .elliptic(let curve):
            let width = curve.fieldByteCount
            // SEC 1 §2.3.3: 04, x, y. A key read from a compressed form is written uncompressed by `qx` and `qy` alone.
            return .elliptic(
                curve, x: try number("qx", width: width), y: try number("qy", width: width))
        case .edwards(let curve):
            var count = curve.publicKeyByteCount
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                let done = unsafe EVP_PKEY_get_raw_public_key(pointer, buffer.baseAddress, &count)
                filled = done == 1 ? min(count, buffer.count) : 0
            }
            guard bytes.count == curve.publicKeyByteCount else {
                throw .libcrypto(.taken(from: "EVP_PKEY_get_raw_public_key"))
            }
            return .edwards(curve, bytes)
        }
    }

    /// A big number of the key, big-endian: in its shortest form, or padded to `width`.
    private func number(_ name: String, width: Int? = nil) throws(KeyFailure) -> [UInt8] {
        var value: OpaquePointer?
        guard unsafe EVP_PKEY_get_bn_param(pointer, name, &value) == 1, let value = unsafe value else {
            throw .libcrypto(.taken(from: "EVP_PKEY_get_bn_param"))
        }
        defer { unsafe BN_free(value) }
        let count = unsafe width ?? (Int(BN_num_bits(value)) + 7) / 8
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let written = unsafe BN_bn2binpad(value, buffer.baseAddress, Int32(clamping: count))
            filled = written == Int32(clamping: count) ? count : 0
        }
        guard bytes.count == count else { throw .libcrypto(.taken(from: "BN_bn2binpad")) }
        return bytes
    }
}

/// A memory BIO for reading or writing one PEM text.
@safe struct MemoryText: ~Copyable {
    let bio: OpaquePointer

    /// Empty, to be written to; wiped when it goes.
    init() throws(KeyFailure) {
        guard let bio = unsafe BIO_new(BIO_s_secmem()) else { throw .libcrypto(.taken(from: "BIO_new")) }
        unsafe self.bio = bio
    }

    /// Holding a copy of `text`.
    static func holding(_ text: String) throws(KeyFailure) -> MemoryText {
        let memory = try MemoryText()
        let bytes = Array(text.utf8)
        let written = unsafe BIO_write(memory.bio, bytes, Int32(clamping: bytes.count))
        guard bytes.isEmpty || Int(written) == bytes.count else { throw .unreadablePEM("too long") }
        return memory
    }

    deinit {
        unsafe BIO_free_all(bio)
    }

    var contents: String {
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe hub_bio_bytes(bio, &start)
        guard let start = unsafe start, count > 0 else { return "" }
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}

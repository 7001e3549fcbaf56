internal import COpenSSL

/// Bytes from libcrypto's seeded generator.
public enum SecureRandom {
    public static func bytes(count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let done = unsafe RAND_bytes(buffer.baseAddress, Int32(clamping: count))
            // Predictable bytes would be worse than no process: there is nothing to go on with.
            precondition(done == 1, "RAND_bytes")
            filled = count
        }
    }
}

internal import COpenSSL

/// A call into libcrypto that did not succeed.
public struct OpenSSLFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The C function.
    public let call: String
    /// The newest reason libcrypto gave; never holds key material.
    public let reason: String

    public var description: String { "\(call): \(reason)" }

    public init(call: String, reason: String) {
        self.call = call
        self.reason = reason
    }

    /// Takes (and so clears) this thread's error queue.
    static func taken(from call: String) -> OpenSSLFailure {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0 else { return OpenSSLFailure(call: call, reason: "no reason given") }
        let text = unsafe [CChar](unsafeUninitializedCapacity: 256) { buffer, count in
            unsafe ERR_error_string_n(code, buffer.baseAddress, buffer.count)
            count = buffer.count
        }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return OpenSSLFailure(call: call, reason: String(decoding: bytes, as: UTF8.self))
    }
}

import Zlib

/// Compresses the payload of one message with DEFLATE (RFC 7692 §7.2).
enum MessageDeflation {
    /// Appends the compressed payload without its last four bytes 00 00 ff ff (RFC 7692 §7.2.1).
    static func compress(_ payload: Span<UInt8>, using deflater: Deflater, into output: inout [UInt8]) {
        // RFC 7692 §7.2.3.6. zlib writes nothing for a flush that follows a flush.
        guard payload.count > 0 else {
            output.append(0x00)
            return
        }
        deflater.compress(payload, into: &output)
        output.removeLast(4)
    }
}

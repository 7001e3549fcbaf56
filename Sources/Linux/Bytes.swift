/// Whole runs of bytes, moved at memcpy's speed; an OutputSpan takes them one at a time.
public enum Bytes {
    @inline(__always)
    public static func append(_ bytes: Span<UInt8>, to array: inout [UInt8]) {
        unsafe bytes.withUnsafeBufferPointer { unsafe array.append(contentsOf: $0) }
    }
}

extension [UInt8] {
    /// Appends a copy. The loop over an output span becomes one `memmove`.
    @inlinable
    @inline(__always)
    public mutating func append(copying bytes: Span<UInt8>) {
        append(addingCapacity: bytes.count) { out in
            for index in bytes.indices { out.append(bytes[index]) }
        }
    }

    @inlinable
    @inline(__always)
    public init(copying bytes: Span<UInt8>) {
        self.init()
        append(copying: bytes)
    }
}

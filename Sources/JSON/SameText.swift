extension String {
    /// Byte for byte, as RFC 8259 §8.3 compares names and RFC 7519 §4.1.1 compares claims; `==` would take `é` in its two encodings
    /// for one text.
    public func isSameText(as other: String) -> Bool {
        let mine = utf8.span
        let theirs = other.utf8.span
        guard mine.count == theirs.count else { return false }
        for index in mine.indices where mine[index] != theirs[index] { return false }
        return true
    }
}

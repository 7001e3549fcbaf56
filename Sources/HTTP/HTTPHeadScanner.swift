/// Finds the end of one head, of a request or a response (RFC 9112 §2.1).
///
/// Owns nothing but positions in bytes that its caller keeps: start of line ≤ scanned ≤ bytes given. Each byte is looked at once, and
/// refused at once if no head could contain it.
struct HTTPHeadScanner: Sendable {
    private let limits: HTTPLimits
    private var scanned = 0
    private var lineStart = 0
    private var headStart = 0
    private var sawCarriageReturn = false

    init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// Goes on where it stopped, to the end of the empty line that ends the head; the head with that line, or nil while it is not there.
    mutating func scan(_ bytes: Span<UInt8>) throws(HTTPRejection) -> Range<Int>? {
        while scanned < bytes.count {
            guard scanned - headStart < limits.headBytes else { throw .headTooLarge }
            let byte = bytes[scanned]
            if sawCarriageReturn {
                guard byte == 0x0A else { throw .bareCarriageReturn }
                sawCarriageReturn = false
                let lineBytes = scanned - 1 - lineStart
                lineStart = scanned + 1
                if lineBytes == 0 {
                    // RFC 9112 §2.2: one empty line before the first line is ignored.
                    guard scanned == 1 else { return headStart..<(scanned + 1) }
                    headStart = lineStart
                }
            } else if byte == 0x0D {
                sawCarriageReturn = true
            } else if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw byte == 0x0A ? .bareLineFeed : .controlCharacter
            }
            scanned += 1
            if lineStart == headStart && scanned - headStart > limits.requestLineBytes + 1 { throw .targetTooLong }
        }
        return nil
    }
}

/// The lines of a head that `HTTPHeadScanner` found: they end in CRLF and hold no control character but tabs.
struct HTTPHeadLines {
    let first: String
    let headers: HTTPHeaders

    init(_ head: Span<UInt8>, limits: HTTPLimits) throws(HTTPRejection) {
        var lineEnd = Self.endOfLine(head, from: 0)
        // Tabs and bytes above ASCII have no place in a request line; a reason phrase can do without.
        for index in 0..<lineEnd where head[index] == 0x09 || head[index] > 0x7F { throw .malformedRequestLine }
        first = Self.text(head.extracting(0..<lineEnd))
        var headers = HTTPHeaders()
        var start = lineEnd + 2
        while start + 2 < head.count {
            guard headers.fields.count < limits.headerCount else { throw .tooManyHeaders }
            lineEnd = Self.endOfLine(head, from: start)
            let (name, value) = try Self.field(head.extracting(start..<lineEnd))
            headers.append(name, value)
            start = lineEnd + 2
        }
        self.headers = headers
    }

    private static func endOfLine(_ head: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < head.count && head[end] != 0x0D { end += 1 }
        return end
    }

    /// RFC 9112 §5: no space between name and colon, no folding.
    private static func field(_ bytes: Span<UInt8>) throws(HTTPRejection) -> (String, String) {
        guard bytes.count > 0 else { throw .malformedHeader }
        if bytes[0] == 0x20 || bytes[0] == 0x09 { throw .foldedHeader }
        var colon = 0
        while colon < bytes.count && bytes[colon] != UInt8(ascii: ":") {
            guard ByteSet.token.contains(bytes[colon]) else { throw .malformedHeader }
            colon += 1
        }
        guard colon > 0, colon < bytes.count else { throw .malformedHeader }
        let value = Substring(text(bytes.extracting((colon + 1)..<bytes.count)))
        return (text(bytes.extracting(0..<colon)), String(value.trimmingOptionalWhitespace))
    }

    /// Bytes above ASCII are opaque to HTTP (RFC 9110 §5.5); those that are not UTF-8 are replaced, never an error.
    private static func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: [UInt8](capacity: bytes.count) { out in for index in bytes.indices { out.append(bytes[index]) } }, as: UTF8.self)
    }
}

extension HTTPHeaders {
    /// RFC 9112 §6.3: digits only, once; nil when absent. A list of equal values is legal to merge and safer to refuse.
    func contentLength(limit: Int) throws(HTTPRejection) -> Int? {
        let lengths = all("content-length")
        guard let text = lengths.first else { return nil }
        guard lengths.count == 1 else { throw .duplicateContentLength }
        guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit) else { throw .malformedContentLength }
        // Only digits, so a number that does not fit is too large, not malformed.
        guard let length = Int(text), length <= limit else { throw .bodyTooLarge }
        return length
    }
}

/// Finds the end of one head, of a request or a response (RFC 9112 §2.1).
///
/// Owns nothing but positions in bytes that its caller keeps: start of line ≤ scanned ≤ bytes given. Each byte is read once, and
/// a byte that no head may contain is refused at once.
struct HTTPHeadScanner: Sendable {
    private let limits: HTTPLimits
    private var scanned = 0
    private var lineStart = 0
    private var headStart = 0
    private var sawCarriageReturn = false

    init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// Continues from the last position to the empty line that ends the head.
    /// - Returns: the head with that line, or nil while it is incomplete.
    mutating func scan(_ bytes: Span<UInt8>) throws(HTTPRejection) -> Range<Int>? {
        while scanned < bytes.count {
            if !sawCarriageReturn { skipPlain(bytes) }
            guard scanned < bytes.count else { return nil }
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

    /// Passes over bytes that any line may hold, as far as no limit is reached.
    private mutating func skipPlain(_ bytes: Span<UInt8>) {
        let most = lineStart == headStart ? min(limits.headBytes, limits.requestLineBytes) : limits.headBytes
        let end = min(bytes.count, headStart + most)
        var index = scanned
        while index < end, bytes[index] >= 0x20, bytes[index] != 0x7F { index &+= 1 }
        scanned = max(scanned, index)
    }
}

/// The lines of a head that `HTTPHeadScanner` found: they end in CRLF and hold no control character but tabs.
struct HTTPHeadLines {
    /// Of the head's bytes.
    let first: Range<Int>
    let headers: HTTPHeaders

    init(_ head: Span<UInt8>, limits: HTTPLimits) throws(HTTPRejection) {
        var lineEnd = Self.endOfLine(head, from: 0)
        // A request line must not contain tabs or bytes above ASCII; in a reason phrase they are refused too.
        for index in 0..<lineEnd where head[index] == 0x09 || head[index] > 0x7F { throw .malformedRequestLine }
        first = 0..<lineEnd
        var headers = HTTPHeaders(of: head)
        var start = lineEnd + 2
        while start + 2 < head.count {
            guard headers.count < limits.headerCount else { throw .tooManyHeaders }
            lineEnd = Self.endOfLine(head, from: start)
            let colon = try Self.endOfName(head, start..<lineEnd)
            headers.append(name: start..<colon, value: head.trimmingOptionalWhitespace(colon + 1..<lineEnd))
            start = lineEnd + 2
        }
        self.headers = headers
    }

    private static func endOfLine(_ head: Span<UInt8>, from start: Int) -> Int {
        head.first(0x0D, from: start) ?? head.count
    }

    /// The offset of the colon. RFC 9112 §5: no space between name and colon, no folding.
    private static func endOfName(_ head: Span<UInt8>, _ line: Range<Int>) throws(HTTPRejection) -> Int {
        guard !line.isEmpty else { throw .malformedHeader }
        if head[line.lowerBound] == 0x20 || head[line.lowerBound] == 0x09 { throw .foldedHeader }
        var colon = line.lowerBound
        while colon < line.upperBound, head[colon] != UInt8(ascii: ":") {
            // Nearly all bytes are letters, which need no lookup in the set.
            guard (head[colon] | 0x20) &- 0x61 < 26 || ByteSet.token.contains(head[colon]) else { throw .malformedHeader }
            colon += 1
        }
        guard colon > line.lowerBound, colon < line.upperBound else { throw .malformedHeader }
        return colon
    }
}

extension HTTPHeaders {
    /// RFC 9112 §6.3: digits only, once; nil when absent. A list of equal values is legal to merge and safer to refuse.
    func contentLength(limit: Int) throws(HTTPRejection) -> Int? {
        guard let text = first("content-length") else { return nil }
        guard count(of: "content-length") == 1 else { throw .duplicateContentLength }
        guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit) else { throw .malformedContentLength }
        // Only digits, so a number that does not fit is too large, not malformed.
        guard let length = Int(text), length <= limit else { throw .bodyTooLarge }
        return length
    }
}

/// What `HTTPRequestParser.parse` found.
public enum HTTPParseResult: Equatable, Sendable {
    /// The head has not ended yet: come again with the same bytes and more.
    case incomplete
    /// A complete head. Its body, `contentLength` bytes, and the next request follow after `headBytes`.
    case request(HTTPRequest, headBytes: Int)
    case rejected(HTTPRejection)
}

/// Finds and reads one request head (RFC 9112 §2–3, §5).
///
/// Owns nothing but positions in bytes that its caller keeps: start of line ≤ scanned ≤ bytes given. Each byte is looked at once while
/// the head arrives, and refused at once if no head could contain it; once more when the head is complete.
public struct HTTPRequestParser: Sendable {
    private let limits: HTTPLimits
    private var scanned = 0
    private var lineStart = 0
    private var headStart = 0
    private var sawCarriageReturn = false

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
    }

    /// `bytes` is everything received of this head so far, beginning where the last request ended. After `.request` or `.rejected`
    /// the parser is ready for the next head.
    public mutating func parse(_ bytes: Span<UInt8>) -> HTTPParseResult {
        do throws(HTTPRejection) {
            guard let end = try scan(bytes) else { return .incomplete }
            let request = try HTTPHeadReader(limits: limits).read(bytes.extracting(headStart..<end))
            self = HTTPRequestParser(limits: limits)
            return .request(request, headBytes: end)
        } catch {
            self = HTTPRequestParser(limits: limits)
            return .rejected(error)
        }
    }

    /// Goes on where it stopped, to the end of the empty line that ends the head.
    private mutating func scan(_ bytes: Span<UInt8>) throws(HTTPRejection) -> Int? {
        while scanned < bytes.count {
            let byte = bytes[scanned]
            if sawCarriageReturn {
                guard byte == 0x0A else { throw .bareCarriageReturn }
                sawCarriageReturn = false
                let lineBytes = scanned - 1 - lineStart
                lineStart = scanned + 1
                if lineBytes == 0 {
                    if scanned > 1 {
                        scanned += 1
                        return scanned
                    }
                    // RFC 9112 §2.2: one empty line before the request line is ignored.
                    headStart = lineStart
                }
            } else if byte == 0x0D {
                sawCarriageReturn = true
            } else if byte < 0x20 && byte != 0x09 || byte == 0x7F {
                throw byte == 0x0A ? .bareLineFeed : .controlCharacter
            }
            scanned += 1
            if lineStart == headStart && scanned - headStart > limits.requestLineBytes + 2 { throw .targetTooLong }
            if scanned - headStart > limits.headBytes { throw .headTooLarge }
        }
        return nil
    }
}

/// Reads a head whose lines are known to end in CRLF and to hold no control character but tabs.
struct HTTPHeadReader {
    let limits: HTTPLimits

    func read(_ head: Span<UInt8>) throws(HTTPRejection) -> HTTPRequest {
        var lineEnd = endOfLine(head, from: 0)
        let line = try requestLine(head.extracting(0..<lineEnd))
        var headers = HTTPHeaders()
        var count = 0
        var start = lineEnd + 2
        while start + 2 < head.count {
            lineEnd = endOfLine(head, from: start)
            count += 1
            guard count <= limits.headerCount else { throw .tooManyHeaders }
            let (name, value) = try headerLine(head.extracting(start..<lineEnd))
            headers.append(name, value)
            start = lineEnd + 2
        }
        return try judge(line, headers)
    }

    private func endOfLine(_ head: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < head.count && head[end] != 0x0D { end += 1 }
        return end
    }

    private struct RequestLine {
        var method: Substring
        var target: Substring
        var version: Substring
    }

    /// RFC 9112 §3: exactly two single spaces.
    private func requestLine(_ bytes: Span<UInt8>) throws(HTTPRejection) -> RequestLine {
        for index in bytes.indices where bytes[index] <= 0x1F || bytes[index] >= 0x7F { throw .malformedRequestLine }
        let parts = text(bytes).split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, HTTPHeaders.isToken(parts[0]), !parts[1].isEmpty else { throw .malformedRequestLine }
        return RequestLine(method: parts[0], target: parts[1], version: parts[2])
    }

    /// RFC 9112 §5: no space between name and colon, no folding.
    private func headerLine(_ bytes: Span<UInt8>) throws(HTTPRejection) -> (String, String) {
        guard bytes.count > 0 else { throw .malformedHeader }
        if bytes[0] == 0x20 || bytes[0] == 0x09 { throw .foldedHeader }
        var colon = 0
        while colon < bytes.count && bytes[colon] != UInt8(ascii: ":") {
            guard ByteSet.token.contains(bytes[colon]) else { throw .malformedHeader }
            colon += 1
        }
        guard colon > 0, colon < bytes.count else { throw .malformedHeader }
        let value = text(bytes.extracting((colon + 1)..<bytes.count))
        return (text(bytes.extracting(0..<colon)), String(Substring(value).trimmingOptionalWhitespace))
    }

    /// Bytes above ASCII are opaque to HTTP (RFC 9110 §5.5); those that are not UTF-8 are replaced, never an error.
    private func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: [UInt8](capacity: bytes.count) { out in for index in bytes.indices { out.append(bytes[index]) } }, as: UTF8.self)
    }

    private func judge(_ line: RequestLine, _ headers: HTTPHeaders) throws(HTTPRejection) -> HTTPRequest {
        try judgeVersion(line.version)
        // CONNECT and TRACE are known and never meant for this server.
        if line.method == "CONNECT" || line.method == "TRACE" { throw .methodNotAllowed }
        guard let method = HTTPMethod(rawValue: String(line.method)) else { throw .unknownMethod }
        let target = try HTTPTarget(line.target, method: method)

        // Transfer codings are where servers disagree about lengths; this one has no use for them.
        guard headers.first("transfer-encoding") == nil else { throw .transferEncoding }
        for expectation in headers.list("expect") where expectation.lowercased() != "100-continue" { throw .unsupportedExpectation }
        return HTTPRequest(
            method: method, target: String(line.target), path: target.path, query: target.query,
            host: try host(headers, target), headers: headers, contentLength: try contentLength(headers))
    }

    private func judgeVersion(_ version: Substring) throws(HTTPRejection) {
        let bytes = Array(version.utf8)
        guard bytes.count == 8, version.hasPrefix("HTTP/"), bytes[5].isDigit, bytes[6] == UInt8(ascii: "."), bytes[7].isDigit else {
            throw .malformedRequestLine
        }
        guard version == "HTTP/1.1" else { throw .unsupportedVersion }
    }

    /// RFC 9112 §3.2: exactly one Host field; one that contradicts an absolute target is refused rather than overridden.
    private func host(_ headers: HTTPHeaders, _ target: HTTPTarget) throws(HTTPRejection) -> String {
        let hosts = headers.all("host")
        guard let host = hosts.first?.lowercased() else { throw .missingHost }
        guard hosts.count == 1 else { throw .duplicateHost }
        guard host.isAuthority else { throw .malformedHost }
        if let authority = target.authority, authority != host { throw .malformedHost }
        return host
    }

    /// RFC 9112 §6.3: digits only, once. A list of equal values is legal to merge and safer to refuse.
    private func contentLength(_ headers: HTTPHeaders) throws(HTTPRejection) -> Int {
        let lengths = headers.all("content-length")
        guard let text = lengths.first else { return 0 }
        guard lengths.count == 1 else { throw .duplicateContentLength }
        guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit) else { throw .malformedContentLength }
        // Only digits, so a number that does not fit is too large, not malformed.
        guard let length = Int(text), length <= limits.bodyBytes else { throw .bodyTooLarge }
        return length
    }
}

/// The forms of a request target (RFC 9112 §3.2).
struct HTTPTarget {
    var authority: String?
    var path: String
    var query: String?

    init(_ target: Substring, method: HTTPMethod) throws(HTTPRejection) {
        if target == "*" {
            guard method == .options else { throw .malformedTarget }
            path = "*"
            return
        }
        var rest = target
        if target.utf8.first != UInt8(ascii: "/") {
            guard let scheme = ["http://", "https://"].first(where: { target.lowercased().hasPrefix($0) }) else { throw .malformedTarget }
            rest = target.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let named = rest[..<end].lowercased()
            guard named.isAuthority else { throw .malformedTarget }
            authority = named
            rest = rest[end...]
        }
        if let mark = rest.firstIndex(of: "?") {
            let query = rest[rest.index(after: mark)...]
            guard query.isPercentEncoded(within: .query) else { throw .malformedTarget }
            self.query = String(query)
            rest = rest[..<mark]
        }
        guard rest.isPercentEncoded(within: .path) else { throw .malformedTarget }
        path = rest.isEmpty ? "/" : String(rest)
    }
}

/// The head of a response, as a client reads it.
public struct HTTPResponseHead: Equatable, Sendable {
    public var status: Int
    public var headers: HTTPHeaders
    /// nil without Content-Length.
    public var contentLength: Int?

    public init(status: Int, headers: HTTPHeaders, contentLength: Int?) {
        self.status = status
        self.headers = headers
        self.contentLength = contentLength
    }
}

/// What `HTTPResponseParser.parse` found.
public enum HTTPResponseParseResult: Equatable, Sendable {
    /// The head has not ended yet: come again with the same bytes and more.
    case incomplete
    /// A complete head; its body or upgraded protocol begins after `headBytes`.
    case response(HTTPResponseHead, headBytes: Int)
    case malformed
}

/// Finds and reads one response head (RFC 9112 §4), as strictly as a request's. Keeps no bytes: its caller does.
public struct HTTPResponseParser: Sendable {
    private let limits: HTTPLimits
    private var scanner: HTTPHeadScanner

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        scanner = HTTPHeadScanner(limits: limits)
    }

    /// `bytes` is everything received of this head so far. After `.response` or `.malformed` the parser is ready for the next head.
    public mutating func parse(_ bytes: Span<UInt8>) -> HTTPResponseParseResult {
        do throws(HTTPRejection) {
            guard let head = try scanner.scan(bytes) else { return .incomplete }
            scanner = HTTPHeadScanner(limits: limits)
            let text = bytes.extracting(head)
            let lines = try HTTPHeadLines(text, limits: limits)
            guard let status = status(String(opaque: text.extracting(lines.first))) else { return .malformed }
            let length = try lines.headers.contentLength(limit: .max)
            return .response(
                HTTPResponseHead(status: status, headers: lines.headers, contentLength: length), headBytes: head.upperBound)
        } catch {
            // Which rule was broken says nothing to a client: it cannot go on either way.
            scanner = HTTPHeadScanner(limits: limits)
            return .malformed
        }
    }

    /// RFC 9112 §4: `HTTP/1.1 200 OK`, where the reason may be missing.
    private func status(_ line: String) -> Int? {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0] == "HTTP/1.1" || parts[0] == "HTTP/1.0", parts[1].utf8.count == 3,
            parts[1].utf8.allSatisfy(\.isDigit), let status = Int(parts[1]), status >= 100
        else { return nil }
        return status
    }
}

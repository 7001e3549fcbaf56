/// What `HTTPRequestParser.parse` found.
public enum HTTPParseResult: Equatable, Sendable {
    /// The head has not ended yet: come again with the same bytes and more.
    case incomplete
    /// A complete head. Its body, `contentLength` bytes, and the next request follow after `headBytes`.
    case request(HTTPRequest, headBytes: Int)
    case rejected(HTTPRejection)
}

/// Finds, reads and judges one request head (RFC 9112 §3, §5, §6). Keeps no bytes: its caller does.
public struct HTTPRequestParser: Sendable {
    private let limits: HTTPLimits
    private var scanner: HTTPHeadScanner

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        scanner = HTTPHeadScanner(limits: limits)
    }

    /// `bytes` is everything received of this head so far, beginning where the last request ended. After `.request` or `.rejected`
    /// the parser is ready for the next head.
    public mutating func parse(_ bytes: Span<UInt8>) -> HTTPParseResult {
        do throws(HTTPRejection) {
            guard let head = try scanner.scan(bytes) else { return .incomplete }
            scanner = HTTPHeadScanner(limits: limits)
            let lines = try HTTPHeadLines(bytes.extracting(head), limits: limits)
            return .request(try judge(lines), headBytes: head.upperBound)
        } catch {
            scanner = HTTPHeadScanner(limits: limits)
            return .rejected(error)
        }
    }

    private func judge(_ lines: HTTPHeadLines) throws(HTTPRejection) -> HTTPRequest {
        // RFC 9112 §3: exactly two single spaces.
        let parts = lines.first.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, HTTPHeaders.isToken(parts[0]), !parts[1].isEmpty else { throw .malformedRequestLine }
        try judgeVersion(parts[2])
        // CONNECT and TRACE are known and never meant for this server.
        if parts[0] == "CONNECT" || parts[0] == "TRACE" { throw .methodNotAllowed }
        guard let method = HTTPMethod(rawValue: String(parts[0])) else { throw .unknownMethod }
        let target = try HTTPTarget(parts[1], method: method)

        // Transfer codings are where servers disagree about lengths; this one has no use for them.
        let headers = lines.headers
        guard headers.first("transfer-encoding") == nil else { throw .transferEncoding }
        for expectation in headers.list("expect") where expectation.lowercasedASCII != "100-continue" { throw .unsupportedExpectation }
        return HTTPRequest(
            method: method, target: String(parts[1]), path: target.path, query: target.query,
            host: try host(headers, target), headers: headers,
            contentLength: try headers.contentLength(limit: limits.bodyBytes) ?? 0)
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
        guard let host = hosts.first?.lowercasedASCII else { throw .missingHost }
        guard hosts.count == 1 else { throw .duplicateHost }
        guard host.isAuthority else { throw .malformedHost }
        if let authority = target.authority, authority != host { throw .malformedHost }
        return host
    }
}

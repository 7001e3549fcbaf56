import Bytes

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
            return .request(try judge(bytes.extracting(head)), headBytes: head.upperBound)
        } catch {
            scanner = HTTPHeadScanner(limits: limits)
            return .rejected(error)
        }
    }

    private func judge(_ head: Span<UInt8>) throws(HTTPRejection) -> HTTPRequest {
        let lines = try HTTPHeadLines(head, limits: limits)
        let line = head.extracting(lines.first)
        // RFC 9112 §3: exactly two single spaces.
        guard let first = line.first(0x20), let second = line.first(0x20, from: first + 1), line.first(0x20, from: second + 1) == nil,
            HTTPHeaders.isToken(line.extracting(first: first)), second > first + 1
        else { throw .malformedRequestLine }
        let minor = try minorVersion(line.extracting(second + 1..<line.count))
        let name = String(opaque: line.extracting(first: first))
        // CONNECT and TRACE are known and never meant for this server.
        if name == "CONNECT" || name == "TRACE" { throw .methodNotAllowed }
        guard let method = HTTPMethod(rawValue: name) else { throw .unknownMethod }
        let written = line.extracting(first + 1..<second)
        let target = try HTTPTarget(written, method: method)

        // Transfer codings are where servers disagree about lengths; this one has no use for them.
        let headers = lines.headers
        guard headers.count(of: "transfer-encoding") == 0 else { throw .transferEncoding }
        var isExpectationKnown = true
        headers.eachMember(of: "expect") { expectation in
            isExpectationKnown = expectation.isSame(withoutCase: "100-continue")
            return isExpectationKnown
        }
        guard isExpectationKnown else { throw .unsupportedExpectation }
        return HTTPRequest(
            method: method, target: String(opaque: written), path: target.path, query: target.query,
            host: try host(headers, target, minor), headers: headers,
            contentLength: try headers.contentLength(limit: limits.bodyBytes) ?? 0, minorVersion: minor)
    }

    /// RFC 9112 §2.3: a server answers any minor version of its major version.
    private func minorVersion(_ version: Span<UInt8>) throws(HTTPRejection) -> Int {
        guard version.count == 8, version[5].isDigit, version[6] == UInt8(ascii: "."), version[7].isDigit,
            version.extracting(first: 5).isSame(as: "HTTP/".utf8.span)
        else { throw .malformedRequestLine }
        guard version[5] == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return Int(version[7] - UInt8(ascii: "0"))
    }

    /// RFC 9112 §3.2: exactly one Host field; one that contradicts an absolute target is refused rather than overridden.
    /// HTTP/1.0 did not know the field.
    private func host(_ headers: HTTPHeaders, _ target: HTTPTarget, _ minorVersion: Int) throws(HTTPRejection) -> String {
        guard let host = headers.first("host")?.lowercasedASCII else {
            guard minorVersion == 0 else { throw .missingHost }
            return ""
        }
        guard headers.count(of: "host") == 1 else { throw .duplicateHost }
        guard host.utf8.span.isAuthority else { throw .malformedHost }
        if let authority = target.authority, authority != host { throw .malformedHost }
        return host
    }
}

/// The methods this server recognizes and is willing to route (RFC 9110 §9.3).
public enum HTTPMethod: String, Hashable, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"
}

/// One request head of HTTP/1.1 or 1.0, complete and validated: an ambiguous head was refused.
public struct HTTPRequest: Equatable, Sendable {
    public var method: HTTPMethod
    /// The request target as received: origin form, absolute form, or `*` with OPTIONS (RFC 9112 §3.2).
    public var target: String
    /// The target's path, still percent-encoded. `*` for the asterisk form.
    public var path: String
    /// What follows the target's first `?`, still percent-encoded; nil without a `?`.
    public var query: String?
    /// The validated Host, lower-cased, with its port when one was given. Empty when a request of HTTP/1.0 has none.
    public var host: String
    public var headers: HTTPHeaders
    /// Bytes of body that follow the head: zero without Content-Length (RFC 9112 §6.3).
    public var contentLength: Int
    /// The number behind `HTTP/1.`.
    public var minorVersion: Int

    public init(
        method: HTTPMethod, target: String, path: String, query: String? = nil, host: String,
        headers: HTTPHeaders, contentLength: Int = 0, minorVersion: Int = 1
    ) {
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.host = host
        self.headers = headers
        self.contentLength = contentLength
        self.minorVersion = minorVersion
    }

    /// Whether the connection persists after the response: in 1.1 unless `close` was asked for, in 1.0 only when `keep-alive` was
    /// (RFC 9112 §9.3).
    public var keepAlive: Bool {
        !headers.list("connection", contains: "close") && (minorVersion > 0 || headers.list("connection", contains: "keep-alive"))
    }

    /// Whether the response may use chunked transfer coding, which HTTP/1.0 does not know (RFC 9112 §7.1).
    public var takesChunks: Bool { minorVersion > 0 }

    /// Whether the client asks to leave HTTP: an Upgrade field that Connection names (RFC 9110 §7.8). In HTTP/1.0 the field is ignored.
    public var isUpgrade: Bool {
        minorVersion > 0 && headers.count(of: "upgrade") > 0 && headers.list("connection", contains: "upgrade")
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
    public var expectsContinue: Bool { contentLength > 0 && minorVersion > 0 && headers.list("expect", contains: "100-continue") }
}

extension HTTPRequest {
    /// Whether it was sent to this machine by an address that nobody else can give a name to.
    public var isToLoopback: Bool {
        let port = host.utf8.last == UInt8(ascii: "]") ? nil : host.lastIndex(of: ":")
        return ["127.0.0.1", "localhost", "[::1]"].contains(port.map { String(host[..<$0]) } ?? host)
    }
}

// Bytes, not characters: a combining mark behind a space makes one character of both, and U+212A in lower case is a plain k.
extension StringProtocol {
    /// With A…Z in lower case and nothing else changed, which is all that protocols mean by "case-insensitive".
    public var lowercasedASCII: String {
        String(decoding: utf8.map(\.lowercasedASCII), as: UTF8.self)
    }
}

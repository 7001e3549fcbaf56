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

/// One request head of HTTP/1.1, complete and already judged: whatever could be read in two ways was refused.
public struct HTTPRequest: Equatable, Sendable {
    public var method: HTTPMethod
    /// The request target as received: origin form, absolute form, or `*` with OPTIONS (RFC 9112 §3.2).
    public var target: String
    /// The target's path, still percent-encoded. `*` for the asterisk form.
    public var path: String
    /// What follows the target's first `?`, still percent-encoded; nil without a `?`.
    public var query: String?
    /// The validated Host, lower-cased, with its port when one was given.
    public var host: String
    public var headers: HTTPHeaders
    /// Bytes of body that follow the head: zero without Content-Length (RFC 9112 §6.3).
    public var contentLength: Int

    public init(
        method: HTTPMethod, target: String, path: String, query: String? = nil, host: String,
        headers: HTTPHeaders, contentLength: Int = 0
    ) {
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.host = host
        self.headers = headers
        self.contentLength = contentLength
    }

    /// Whether the connection persists after the response: always in 1.1 unless `close` was asked for (RFC 9112 §9.3).
    public var keepAlive: Bool { !headers.list("connection", contains: "close") }

    /// Whether the client asks to leave HTTP: an Upgrade field that Connection names (RFC 9110 §7.8).
    public var isUpgrade: Bool {
        headers.first("upgrade") != nil && headers.list("connection", contains: "upgrade")
    }

    /// Whether the client waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1).
    public var expectsContinue: Bool { headers.list("expect", contains: "100-continue") && contentLength > 0 }
}

/// Header fields in the order received. Names are kept in lower case, for that is how they are compared.
public struct HTTPHeaders: Equatable, Sendable {
    public struct Field: Equatable, Sendable {
        public let name: String
        public let value: String
    }

    public private(set) var fields: [Field] = []

    public init() {}

    public init(_ fields: [(String, String)]) {
        for (name, value) in fields { append(name, value) }
    }

    public mutating func append(_ name: String, _ value: String) {
        fields.append(Field(name: name.lowercased(), value: value))
    }

    /// The first value of a field. `name` is given in lower case.
    public func first(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// Every value of a field, in order. `name` is given in lower case.
    public func all(_ name: String) -> [String] {
        fields.lazy.filter { $0.name == name }.map(\.value)
    }

    /// The members of a comma-separated list field, over all its lines, trimmed, empty ones left out (RFC 9110 §5.6.1).
    public func list(_ name: String) -> [Substring] {
        var members: [Substring] = []
        for field in fields where field.name == name {
            for part in field.value.utf8.split(separator: UInt8(ascii: ",")) {
                let member = Substring(part).trimmingOptionalWhitespace
                if !member.isEmpty { members.append(member) }
            }
        }
        return members
    }

    /// Whether a list field has `member`, compared without ASCII case. `name` and `member` are given in lower case.
    public func list(_ name: String, contains member: String) -> Bool {
        list(name).contains { $0.lowercasedASCII == member }
    }
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
        String(decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}

extension Substring {
    /// Without leading and trailing OWS: spaces and tabs (RFC 9110 §5.6.3).
    public var trimmingOptionalWhitespace: Substring {
        let isContent: (UInt8) -> Bool = { $0 != 0x20 && $0 != 0x09 }
        guard let first = utf8.firstIndex(where: isContent), let last = utf8.lastIndex(where: isContent) else { return self[endIndex...] }
        return self[first..<utf8.index(after: last)]
    }
}

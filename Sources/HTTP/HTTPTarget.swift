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
            guard let scheme = ["http://", "https://"].first(where: { target.lowercasedASCII.hasPrefix($0) }) else {
                throw .malformedTarget
            }
            rest = target.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            let named = rest[..<end].lowercasedASCII
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

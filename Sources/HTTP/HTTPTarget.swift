/// The forms of a request target (RFC 9112 §3.2).
struct HTTPTarget {
    /// In lower case.
    var authority: String?
    var path: String
    var query: String?

    init(_ target: Span<UInt8>, method: HTTPMethod) throws(HTTPRejection) {
        if target.isSame(withoutCase: "*") {
            guard method == .options else { throw .malformedTarget }
            path = "*"
            return
        }
        var start = 0
        if target[0] != UInt8(ascii: "/") {
            guard let scheme = ["http://", "https://"].first(where: { target.begins(withoutCase: $0) }) else { throw .malformedTarget }
            start = scheme.utf8.count
            var end = start
            while end < target.count, target[end] != UInt8(ascii: "/"), target[end] != UInt8(ascii: "?") { end += 1 }
            let named = target.extracting(start..<end)
            guard named.isAuthority else { throw .malformedTarget }
            authority = String(opaque: named).lowercasedASCII
            start = end
        }
        let mark = target.first(UInt8(ascii: "?"), from: start)
        if let mark {
            let query = target.extracting(mark + 1..<target.count)
            guard query.isPercentEncoded(within: .query) else { throw .malformedTarget }
            self.query = String(opaque: query)
        }
        let path = target.extracting(start..<(mark ?? target.count))
        guard path.isPercentEncoded(within: .path) else { throw .malformedTarget }
        self.path = path.isEmpty ? "/" : String(opaque: path)
    }
}

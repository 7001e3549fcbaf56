import Messaging

/// The address of a hub in a user's notation: `http://127.0.0.1:8080`.
struct HubAddress: Equatable {
    let host: String
    let port: UInt16
    /// The value of the Host header.
    let authority: String
    /// A proxy's prefix before the hub's paths, without a trailing slash; empty without such a proxy.
    let prefix: String

    enum Refusal: Error, Equatable {
        case encrypted
        case malformed
    }

    init(_ text: String) throws(Refusal) {
        guard let scheme = text.firstRange(of: "://") else { throw .malformed }
        switch text[..<scheme.lowerBound].lowercased() {
        case "http", "ws": break
        case "https", "wss": throw .encrypted
        default: throw .malformed
        }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" }
        guard !authority.isEmpty, authority.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "@") }) else { throw .malformed }
        self.authority = String(authority)
        var path = rest.dropFirst(authority.count)
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !path.contains(where: { $0 == "?" || $0 == "#" }) else { throw .malformed }
        while path.hasSuffix("/") { path = path.dropLast() }
        prefix = String(path)

        let bracket = authority.lastIndex(of: "]")
        let colon = authority.lastIndex(of: ":").flatMap { colon in bracket.map { $0 < colon } ?? true ? colon : nil }
        if let colon {
            guard let port = UInt16(authority[authority.index(after: colon)...]), port != 0 else { throw .malformed }
            self.port = port
        } else {
            port = 80
        }
        let name = authority[..<(colon ?? authority.endIndex)]
        host = name.hasPrefix("[") ? String(name.dropFirst().dropLast()) : String(name)
        guard !host.isEmpty else { throw .malformed }
    }
}

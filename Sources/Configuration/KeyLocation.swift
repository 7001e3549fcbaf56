/// The source of the keys that verify tokens.
package enum KeyLocation: Equatable, Sendable {
    /// A JWK Set at an `http:` or `https:` address.
    case address(String)
    /// A file with a JWK Set or PEM public keys.
    case file(String)

    package init(_ text: String) {
        self = text.hasPrefix("https://") || text.hasPrefix("http://") ? .address(text) : .file(text)
    }

    /// Whether the source is an `http:` address of another machine. An attacker on the network could replace its keys.
    package var isPlainHTTPElsewhere: Bool {
        guard case .address(let url) = self, url.hasPrefix("http://") else { return false }
        // RFC 3986 §3.2: user@host:port. A host with colons is in brackets.
        let authority = url.dropFirst("http://".count).prefix { !"/?#".contains($0) }
        let hostAndPort = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? authority
        let host = hostAndPort.hasPrefix("[") ? hostAndPort.dropFirst().prefix { $0 != "]" } : hostAndPort.prefix { $0 != ":" }
        return host != "localhost" && !ListenEndpoint(host: String(host), port: 0).isLoopback
    }
}

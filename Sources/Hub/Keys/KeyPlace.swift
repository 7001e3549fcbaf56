internal import Auth

/// Where the keys come from that tokens are checked with.
enum KeyPlace: Equatable, Sendable {
    /// A JWK Set at an `http:` or `https:` address.
    case address(String)
    /// A JWK Set or PEM public keys.
    case file(String)

    init(_ text: String) {
        self = text.hasPrefix("https://") || text.hasPrefix("http://") ? .address(text) : .file(text)
    }

    /// How often to look, unless configured: a file costs one `stat`, an address a request to somebody else.
    func settings(refreshInterval: Duration) -> JWKSSource.Settings {
        var settings = JWKSSource.Settings()
        switch self {
        case .address:
            settings.refreshInterval = refreshInterval
        case .file:
            settings.refreshInterval = .seconds(2)
            settings.unknownKeySpacing = .seconds(1)
            settings.absentKeyLifetime = .seconds(2)
            settings.longestRetry = .seconds(2)
        }
        return settings
    }
}

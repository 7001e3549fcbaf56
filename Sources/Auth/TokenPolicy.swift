/// What this hub demands of a token, beyond a signature by a known key.
public struct TokenPolicy: Equatable, Sendable {
    /// A token may name only these, and only when its key can have them. Narrow it to what the issuer uses.
    public var algorithms: Set<Algorithm>
    /// Compared byte for byte with `iss` (RFC 7519 §4.1.1); nil accepts any, for development.
    public var issuer: String?
    /// One of these must be in `aud` (RFC 7519 §4.1.3); empty accepts any, for development.
    public var audiences: [String]
    /// Accepted `typ` values, without `application/`, in any case (RFC 7515 §4.1.9). An ID token and a logout token of
    /// OpenID Connect are signed by the same keys; only `typ` distinguishes them (RFC 8725 §3.11).
    public var types: [String]
    public var acceptsAbsentType: Bool
    /// Without `exp` a session would never end by itself.
    public var requiresExpiry: Bool
    /// Tolerated difference of clocks for `exp`, `nbf` and `iat`; 0…600 s, whole seconds.
    public var leeway: Duration {
        get { .seconds(leewaySeconds) }
        set { leewaySeconds = min(max(newValue.components.seconds, 0), 600) }
    }
    /// Longer tokens are refused unread: they arrive before anyone is authenticated.
    public var maximumBytes: Int
    public var claims: ClaimNames

    private(set) var leewaySeconds: Int64 = 30

    public static let defaultMaximumBytes = 8 * 1024

    public init(
        algorithms: Set<Algorithm> = Set(Algorithm.allCases), issuer: String? = nil, audiences: [String] = [],
        types: [String] = ["JWT", "at+jwt"], acceptsAbsentType: Bool = true, requiresExpiry: Bool = true,
        leeway: Duration = .seconds(30), maximumBytes: Int = defaultMaximumBytes, claims: ClaimNames = ClaimNames()
    ) {
        self.algorithms = algorithms
        self.issuer = issuer
        self.audiences = audiences
        self.types = types
        self.acceptsAbsentType = acceptsAbsentType
        self.requiresExpiry = requiresExpiry
        self.maximumBytes = maximumBytes
        self.claims = claims
        self.leeway = leeway
    }
}

public import JSON

/// Where a claim lies in the payload: `roles`, or the members of nested objects joined by dots, as Keycloak's
/// `realm_access.roles`.
public struct ClaimPath: Equatable, Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }
    public init(stringLiteral name: String) { self.init(name) }
    public var description: String { name }

    /// A member of that whole name comes first, because namespaced claims are URLs (`https://example.org/roles`).
    public func value(in claims: JSONObject) -> JSONValue? {
        if let value = claims[name] { return value }
        guard name.utf8.contains(UInt8(ascii: ".")) else { return nil }
        var current: JSONValue = .object(claims)
        for segment in name.split(separator: ".", omittingEmptySubsequences: false) {
            guard let next = current[String(segment)] else { return nil }
            current = next
        }
        return current
    }
}

/// Which claims carry what the hub needs to know.
public struct ClaimNames: Equatable, Sendable {
    public var subject: ClaimPath
    /// A string.
    public var institution: ClaimPath
    /// Each a list of strings, or one string of names separated by spaces; what several paths give is joined.
    public var roles: [ClaimPath]
    /// As for roles.
    public var channels: ClaimPath

    public init(
        subject: ClaimPath = "sub", institution: ClaimPath = "institution", roles: [ClaimPath] = ["roles"],
        channels: ClaimPath = "channels"
    ) {
        self.subject = subject
        self.institution = institution
        self.roles = roles
        self.channels = channels
    }
}

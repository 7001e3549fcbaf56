/// Method and path to a route of the caller's making. Paths match exactly and as received: an escaped letter is another path.
public struct HTTPRouter<Route: Sendable>: Sendable {
    public enum Match {
        case found(Route)
        /// The path exists, the method does not: answer 405 with these in Allow (RFC 9110 §15.5.6).
        case methodNotAllowed(allowed: [HTTPMethod])
        case notFound
    }

    private var routes: [String: [(HTTPMethod, Route)]] = [:]

    public init(_ routes: [(HTTPMethod, String, Route)]) {
        for (method, path, route) in routes { self.routes[path, default: []].append((method, route)) }
    }

    public func match(_ request: HTTPRequest) -> Match {
        guard let candidates = routes[request.path] else { return .notFound }
        // RFC 9110 §9.3.2: HEAD is GET without the body.
        let wanted = request.method == .head ? .get : request.method
        if let (_, route) = candidates.first(where: { $0.0 == request.method }) ?? candidates.first(where: { $0.0 == wanted }) {
            return .found(route)
        }
        var allowed = candidates.map(\.0)
        if allowed.contains(.get) { allowed.append(.head) }
        return .methodNotAllowed(allowed: allowed)
    }
}

extension HTTPResponse {
    /// 405 with its Allow field.
    public static func methodNotAllowed(_ allowed: [HTTPMethod]) -> HTTPResponse {
        var response = HTTPResponse(status: 405, text: "The method is not allowed here.")
        response.headers.append("allow", allowed.map(\.rawValue).joined(separator: ", "))
        return response
    }
}

extension HTTPRouter.Match: Equatable where Route: Equatable {}

import Auth
import HTTP
import Messaging

/// What a request carries to prove who its user is, and where it must not carry a token.
enum RequestToken {
    struct Refusal {
        let code: String
        let message: String
    }

    /// A context that the gateway signed counts before a token: the gateway removes or replaces the token.
    /// - Parameter takesContexts: a gateway signs contexts for this hub. Otherwise the fields mean nothing.
    static func credential(of request: HTTPRequest, takesContexts: Bool) -> Credential? {
        if takesContexts, let context = request.headers.first("x-signed-context") {
            // A field that comes twice may be one of the client's beside the gateway's: then neither counts.
            let isSingle = ["x-signed-context", "x-context-signature", "x-context-kid"].allSatisfy { request.headers.count(of: $0) <= 1 }
            return .context(
                SignedContext(
                    context: isSingle ? context : "", signature: request.headers.first("x-context-signature") ?? "",
                    keyID: request.headers.first("x-context-kid") ?? ""))
        }
        return bearer(of: request).map { .token($0) }
    }

    /// RFC 6750 §2.1
    static func bearer(of request: HTTPRequest) -> String? {
        guard let authorization = request.headers.first("authorization"), authorization.utf8.count > 7,
            authorization.prefix(7).lowercasedASCII == "bearer "
        else { return nil }
        return String(authorization.dropFirst(7))
    }

    /// A token in the address would stand in every proxy's log.
    static func refusal(of request: HTTPRequest, repeatable: Set<String> = []) -> Refusal? {
        guard let query = try? HTTPQuery(request.query, repeatable: repeatable) else {
            return Refusal(code: "bad_request", message: "the query cannot be read")
        }
        guard query["token"] == nil, query["access_token"] == nil else {
            return Refusal(
                code: "query_token",
                message: "a token in the address ends up in logs; send it in connect, as the subprotocol item hub.bearer.<token>, or as an "
                    + "Authorization header")
        }
        return nil
    }
}

import HTTP
import Messaging

/// The token that a request carries, and where it must not carry one.
enum RequestToken {
    struct Refusal {
        let code: String
        let message: String
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

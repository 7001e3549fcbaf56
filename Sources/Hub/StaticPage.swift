import HTTP
import WebPages

/// A file of the demo that is embedded in the executable.
struct StaticPage: Sendable {
    let path: String
    let type: String
    let bytes: [UInt8]

    static let all = WebPages.all.map { StaticPage(path: $0.path, type: $0.type, bytes: $0.bytes) }

    var response: HTTPResponse {
        HTTPResponse(
            status: 200,
            headers: HTTPHeaders([
                ("content-type", type), ("cache-control", "no-cache"), ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                (
                    "content-security-policy",
                    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                        + "form-action 'none'; frame-ancestors 'self'"
                ),
            ]), body: bytes)
    }
}

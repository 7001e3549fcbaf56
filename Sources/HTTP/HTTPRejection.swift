/// Why a request head was refused. After any of these the connection is closed: where the next request would start is not known.
public enum HTTPRejection: Error, Equatable, Sendable, CaseIterable {
    case controlCharacter, bareLineFeed, bareCarriageReturn
    case malformedRequestLine, malformedTarget
    case malformedHeader, foldedHeader
    case missingHost, duplicateHost, malformedHost
    case duplicateContentLength, malformedContentLength
    case methodNotAllowed, unknownMethod
    case bodyTooLarge, targetTooLong, headTooLarge, tooManyHeaders
    case transferEncoding, unsupportedExpectation, unsupportedVersion

    /// The status that answers it, and the sentence its sender reads.
    public var answer: (status: Int, message: String) {
        switch self {
        case .controlCharacter: (400, "The request head contains a control character.")
        case .bareLineFeed: (400, "A line of the request head ends in LF without CR.")
        case .bareCarriageReturn: (400, "The request head contains a CR that no LF follows.")
        case .malformedRequestLine: (400, "The request line is not 'method target HTTP/1.1'.")
        case .malformedTarget: (400, "The request target contains what RFC 3986 does not allow.")
        case .malformedHeader: (400, "A header line is not 'name: value'.")
        case .foldedHeader: (400, "A header line is folded.")
        case .missingHost: (400, "The Host field is missing.")
        case .duplicateHost: (400, "There is more than one Host field.")
        case .malformedHost: (400, "The Host field is not a host, or disagrees with the target.")
        case .duplicateContentLength: (400, "There is more than one Content-Length field.")
        case .malformedContentLength: (400, "The Content-Length field is not a decimal number.")
        case .methodNotAllowed: (405, "The method is not allowed here.")
        case .bodyTooLarge: (413, "The body is larger than this server takes.")
        case .targetTooLong: (414, "The request line is longer than this server takes.")
        case .unsupportedExpectation: (417, "The expectation cannot be met.")
        case .headTooLarge: (431, "The request head is larger than this server takes.")
        case .tooManyHeaders: (431, "The request head has more fields than this server takes.")
        case .transferEncoding: (501, "Transfer codings are not supported; send Content-Length.")
        case .unknownMethod: (501, "The method is not known.")
        case .unsupportedVersion: (505, "This server speaks HTTP/1.1.")
        }
    }

    public var status: Int { answer.status }

    /// The response to send before the connection is closed.
    public var response: HTTPResponse {
        var response = HTTPResponse(status: answer.status, text: answer.message)
        if self == .methodNotAllowed { response.headers.append("allow", "GET, HEAD, POST, OPTIONS") }
        return response
    }
}

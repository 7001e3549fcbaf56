public import HTTP

/// The server's part of the opening handshake (RFC 6455 §4.2), on a request head that HTTP has already judged.
public enum ServerHandshake {
    public static func answer(_ request: HTTPRequest, policy: HandshakePolicy) -> HandshakeOutcome {
        do throws(HandshakeRejection) {
            let key = try judgeUpgrade(request)
            try judgeOrigin(request, policy)
            let (subprotocol, bearer) = try chooseSubprotocol(request, policy)
            let deflate = try chooseDeflate(request, policy)
            return .accept(
                HandshakeAgreement(
                    subprotocol: subprotocol, bearer: bearer, deflate: deflate?.agreement,
                    responseHead: head(key, subprotocol, deflate?.response)))
        } catch {
            return .reject(error)
        }
    }

    /// RFC 6455 §4.2.1, in its order of items.
    private static func judgeUpgrade(_ request: HTTPRequest) throws(HandshakeRejection) -> HandshakeKey {
        guard request.method == .get else { throw .methodNotGet }
        guard request.headers.list("upgrade", contains: "websocket") else { throw .notAnUpgrade }
        guard request.headers.list("connection", contains: "upgrade") else { throw .connectionDoesNotUpgrade }
        guard request.contentLength == 0 else { throw .bodyNotAllowed }

        guard request.headers.count(of: "sec-websocket-version") <= 1 else { throw .duplicateVersion }
        guard request.headers.first("sec-websocket-version") == "13" else { throw .unsupportedVersion }

        guard let text = request.headers.first("sec-websocket-key") else { throw .missingKey }
        guard request.headers.count(of: "sec-websocket-key") == 1 else { throw .duplicateKey }
        guard let key = HandshakeKey(text) else { throw .malformedKey }
        return key
    }

    /// RFC 6455 §4.2.2, item 4.
    private static func judgeOrigin(_ request: HTTPRequest, _ policy: HandshakePolicy) throws(HandshakeRejection) {
        switch origin(of: request, policy) {
        case .allowed, .sameHost: return
        case .absent: if !policy.allowsAbsentOrigin { throw .originMissing }
        case .duplicate: throw .originDuplicate
        case .forbidden: throw .originForbidden
        }
    }

    /// What the policy says of a request's Origin field. Requests that are no handshake are judged by the same rule.
    public enum OriginJudgement: Equatable, Sendable {
        case absent, duplicate, forbidden
        /// The page was served under this host's name.
        case sameHost
        /// The policy names this origin, or allows all.
        case allowed(String)
    }

    public static func origin(of request: HTTPRequest, _ policy: HandshakePolicy) -> OriginJudgement {
        guard let written = request.headers.first("origin") else { return .absent }
        guard request.headers.count(of: "origin") == 1 else { return .duplicate }
        let origin = written.lowercasedASCII
        let isSameHost = isSameHost(origin, request, policy)
        switch policy.origins {
        case .any: return isSameHost ? .sameHost : .allowed(written)
        case .sameHost: return isSameHost ? .sameHost : .forbidden
        case .listed(let list, let sameHost):
            if sameHost, isSameHost { return .sameHost }
            return list.contains { $0 == "*" || $0.lowercasedASCII == origin } ? .allowed(written) : .forbidden
        }
    }

    /// A serialized origin is scheme "://" host [":" port], without default port (RFC 6454 §6.1); a Host may state the default.
    private static func isSameHost(_ origin: String, _ request: HTTPRequest, _ policy: HandshakePolicy) -> Bool {
        if policy.sameHostIsLoopback, !request.isToLoopback { return false }
        let host = request.host
        for (scheme, port) in [("http://", ":80"), ("https://", ":443")] where origin.hasPrefix(scheme) {
            let authority = origin.dropFirst(scheme.count)
            return authority == host || "\(authority)\(port)" == host
        }
        return false
    }

    /// RFC 6455 §4.2.2, item 5 `/subprotocol/`: the server's choice among the client's, in the server's order.
    private static func chooseSubprotocol(
        _ request: HTTPRequest, _ policy: HandshakePolicy
    ) throws(HandshakeRejection) -> (String?, bearer: String?) {
        // Few, so that looking for repetitions stays cheap.
        var offered: [String] = []
        var bearer: String?
        for item in request.headers.list("sec-websocket-protocol") {
            // RFC 6455 §4.1, item 10: tokens, all different.
            guard HTTPHeaders.isToken(item), !offered.contains(item) else { throw .malformedSubprotocols }
            offered.append(item)
            guard offered.count <= policy.maximumSubprotocols else { throw .tooManySubprotocols }
            guard item.hasPrefix(HandshakePolicy.bearerPrefix) else { continue }
            guard bearer == nil else { throw .duplicateBearer }
            let token = item.dropFirst(HandshakePolicy.bearerPrefix.count)
            guard !token.isEmpty else { throw .emptyBearer }
            guard token.utf8.count <= policy.maximumBearerBytes else { throw .bearerTooLarge }
            bearer = String(token)
        }
        let chosen = policy.subprotocols.first { offered.contains($0) && !$0.hasPrefix(HandshakePolicy.bearerPrefix) }
        if chosen == nil && policy.requiresSubprotocol { throw .noCommonSubprotocol }
        return (chosen, bearer)
    }

    private static func chooseDeflate(
        _ request: HTTPRequest, _ policy: HandshakePolicy
    ) throws(HandshakeRejection) -> (agreement: DeflateAgreement, response: String)? {
        // A field without members offers nothing; some clients and proxies send one.
        var offersNothing = true
        request.headers.eachMember(of: "sec-websocket-extensions") { _ in
            offersNothing = false
            return false
        }
        if offersNothing { return nil }
        guard let offers = ExtensionOffer.parse(request.headers.all("sec-websocket-extensions")) else { throw .malformedExtensions }
        guard offers.count <= policy.maximumExtensionOffers else { throw .tooManyExtensions }
        guard let deflate = policy.deflate, let answer = DeflateNegotiation.answer(offers, deflate) else { return nil }
        // Without compression they are served as well as all others; a window of their own would be 40 KiB for each.
        if answer.agreement.clientNoContextTakeover, OldSafari.sent(request) { return nil }
        return answer
    }

    private static func head(_ key: HandshakeKey, _ subprotocol: String?, _ extensions: String?) -> [UInt8] {
        var head: [UInt8] = []
        // More than it is long, unless extensions were agreed on.
        head.reserveCapacity(256)
        func write(_ text: String) { head.append(contentsOf: text.utf8) }
        write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
        write(key.accept)
        if let subprotocol {
            write("\r\nSec-WebSocket-Protocol: ")
            write(subprotocol)
        }
        if let extensions {
            write("\r\nSec-WebSocket-Extensions: ")
            write(extensions)
        }
        write("\r\n\r\n")
        return head
    }
}

extension HandshakeRejection {
    /// The response to send. The connection may go on in HTTP.
    public var response: HTTPResponse {
        var response = HTTPResponse(status: answer.status, text: answer.message)
        switch answer.status {
        case 405:
            response.headers.append("allow", "GET")
        case 426:
            // RFC 6455 §4.4 and RFC 9110 §15.5.22: say what would be accepted.
            response.headers.append("upgrade", "websocket")
            response.headers.append("connection", "Upgrade")
            response.headers.append("sec-websocket-version", "13")
        default:
            break
        }
        return response
    }
}

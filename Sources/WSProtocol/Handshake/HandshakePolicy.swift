/// Whom this server lets in, and what it grants.
public struct HandshakePolicy: Equatable, Sendable {
    /// Which Origins may connect (RFC 6455 §10.2). Browsers always send one.
    public enum Origins: Equatable, Sendable {
        case any
        /// The Origin's host and port must be those of the Host field.
        case sameHost
        /// These serialized origins (`https://example.org`), and those of the Host field when `sameHost` is set.
        case listed([String], sameHost: Bool)
    }

    public var origins: Origins = .sameHost
    /// "The same host" must be a loopback address or `localhost`: for a server on loopback any other name is one that a foreign page let
    /// point to this machine.
    public var sameHostIsLoopback = false
    /// Whether a client without an Origin may connect: programs, not pages. On: a token guards the door, Origin only guards cookies.
    public var allowsAbsentOrigin = true
    /// Subprotocols this server speaks, in its order of preference.
    public var subprotocols: [String] = []
    /// Whether a client that offers none of them is refused. Off: it gets no subprotocol and may decide for itself.
    public var requiresSubprotocol = false
    /// Subprotocol items offered. 16: a handful of versions and a token. Exceeded: 400.
    public var maximumSubprotocols = 16
    /// Bytes of the bearer item's token. 8 KiB: roles and claims of large institutions. Exceeded: 431.
    public var maximumBearerBytes = 8 * 1024
    /// Extension offers looked at. 16: browsers send one or two. Exceeded: 400.
    public var maximumExtensionOffers = 16
    /// nil: no compression.
    public var deflate: DeflatePolicy? = DeflatePolicy()

    public init() {}

    /// The prefix of the subprotocol item that carries a token, for browsers cannot set headers. Never echoed: it would end up in logs.
    public static let bearerPrefix = "hub.bearer."
}

/// What an accepted handshake agreed on.
public struct HandshakeAgreement: Equatable, Sendable {
    public var subprotocol: String?
    /// The token of a `hub.bearer.` item.
    public var bearer: String?
    public var deflate: DeflateAgreement?
    /// The whole 101 response, to be sent as it is; frames may follow at once.
    public var responseHead: [UInt8]
}

public enum HandshakeOutcome: Equatable, Sendable {
    case accept(HandshakeAgreement)
    case reject(HandshakeRejection)
}

/// Why an opening handshake was refused.
public enum HandshakeRejection: Error, Equatable, Sendable, CaseIterable {
    case methodNotGet, bodyNotAllowed
    case notAnUpgrade, connectionDoesNotUpgrade
    case missingKey, duplicateKey, malformedKey
    case unsupportedVersion, duplicateVersion
    case originMissing, originDuplicate, originForbidden
    case malformedSubprotocols, tooManySubprotocols, noCommonSubprotocol
    case duplicateBearer, emptyBearer, bearerTooLarge
    case malformedExtensions, tooManyExtensions

    /// The status that answers it, and the sentence its sender reads.
    public var answer: (status: Int, message: String) {
        switch self {
        case .methodNotGet: (405, "A WebSocket handshake is a GET.")
        case .bodyNotAllowed: (400, "A WebSocket handshake has no body.")
        case .notAnUpgrade: (426, "This is a WebSocket endpoint: send 'Upgrade: websocket'.")
        case .connectionDoesNotUpgrade: (400, "The Connection field does not name 'Upgrade'.")
        case .missingKey: (400, "The Sec-WebSocket-Key field is missing.")
        case .duplicateKey: (400, "There is more than one Sec-WebSocket-Key field.")
        case .malformedKey: (400, "The Sec-WebSocket-Key field is not base64 of 16 bytes.")
        case .unsupportedVersion: (426, "This server speaks version 13 of the WebSocket protocol.")
        case .duplicateVersion: (400, "There is more than one Sec-WebSocket-Version field.")
        case .originMissing: (403, "The Origin field is missing.")
        case .originDuplicate: (400, "There is more than one Origin field.")
        case .originForbidden: (403, "This origin may not connect: it is not among the origins that the server is configured with.")
        case .malformedSubprotocols: (400, "The Sec-WebSocket-Protocol field is not a list of different tokens.")
        case .tooManySubprotocols: (400, "The Sec-WebSocket-Protocol field has too many items.")
        case .noCommonSubprotocol: (400, "None of the offered subprotocols is spoken here.")
        case .duplicateBearer: (400, "There is more than one bearer item.")
        case .emptyBearer: (400, "The bearer item has no token.")
        case .bearerTooLarge: (431, "The bearer item's token is larger than this server takes.")
        case .malformedExtensions: (400, "The Sec-WebSocket-Extensions field breaks its grammar.")
        case .tooManyExtensions: (400, "The Sec-WebSocket-Extensions field has too many offers.")
        }
    }
}

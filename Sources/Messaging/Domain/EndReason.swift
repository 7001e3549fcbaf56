/// The reason why the hub ends a session. Each transport tells it in its own form; `Protocol/CloseCodes.swift` has the close codes.
public enum EndReason: CaseIterable, Sendable {
    case badFrame
    case forbidden
    case replaced
    case blocked
    case featureOff
    case overloaded
    case slowConsumer
    case rateLimited
    case connectionLimit
    case idle
    case connectTimeout
    case draining
    case noPong
    case restored
    case tokenExpired
    case tokenInvalid
    case tokenRevoked
    case privilegesChanged

    /// The source of the table in the documents and of the clients' copies.
    private var row: (reason: String, meaning: String, advice: EndAdvice) {
        switch self {
        case .badFrame:
            (
                "bad_frame", "The client violated the subprotocol, for example with a binary message, or with commands and no connect.",
                .stop
            )
        case .forbidden: ("forbidden", "The user may not use the hub.", .stop)
        case .replaced: ("replaced", "A newer connection has replaced this one.", .stop)
        case .blocked: ("blocked", "The user has been blocked.", .stop)
        case .featureOff: ("feature_off", "Real-time delivery is switched off for this user.", .stop)
        case .overloaded: ("overloaded", "The hub is overloaded.", .backOff)
        case .slowConsumer: ("slow_consumer", "The client did not read what was sent to it.", .backOff)
        case .rateLimited: ("rate_limited", "The client sent too much in too short a time.", .backOff)
        case .connectionLimit: ("connection_limit", "One user or one address has too many connections.", .backOff)
        case .idle: ("idle", "The user was inactive for a long time; reconnect when the user is active again.", .backOff)
        case .connectTimeout: ("connect_timeout", "No connect command arrived in time.", .backOff)
        case .draining: ("draining", "This hub is being stopped or restarted; another one, or the same one, takes over.", .reconnect)
        case .noPong: ("no_pong", "The client did not answer pings.", .reconnect)
        case .restored:
            (
                "restored", "The database went back to an earlier state, so the client's positions are not known any more.", .reconnect
            )
        case .tokenExpired: ("token_expired", "The token expired and was not refreshed.", .newToken)
        case .tokenInvalid: ("token_invalid", "The token cannot be verified or is not for this hub.", .newToken)
        case .tokenRevoked:
            ("token_revoked", "The token has been revoked: its login has ended, or the key that signed it is withdrawn.", .newToken)
        case .privilegesChanged: ("privileges_changed", "The user's rights have changed.", .newToken)
        }
    }

    /// Reserved for later versions of the hub; this version ends no session for such a reason.
    public var isReserved: Bool {
        switch self {
        case .forbidden, .blocked, .overloaded, .slowConsumer: true
        case .badFrame, .replaced, .featureOff, .idle, .connectTimeout, .draining, .noPong, .restored, .tokenExpired, .tokenInvalid,
            .tokenRevoked, .rateLimited, .connectionLimit, .privilegesChanged:
            false
        }
    }

    /// The short name that the client gets, for example as the reason of a close frame and in `bye`.
    public var reason: String { row.reason }
    /// One English sentence about the cause.
    public var meaning: String { row.meaning }
    public var advice: EndAdvice { row.advice }
}

/// The client's next step after the end of its session.
public enum EndAdvice: String, CaseIterable, Sendable {
    case stop
    case backOff = "back_off"
    case reconnect
    case newToken = "new_token"

    /// Whether the client reconnects without the user.
    public var reconnects: Bool { self != .stop }

    public var meaning: String {
        switch self {
        case .stop: "Do not reconnect automatically."
        case .backOff: "Reconnect with growing, random pauses, but not before the announced time."
        case .reconnect: "Reconnect at a random time in the announced window."
        case .newToken: "Get a new token, then reconnect."
        }
    }
}

internal import JSON

/// What a client does after a close: decided by the hundreds of the code alone, so that a code made later is obeyed too.
public enum CloseAdvice: String, CaseIterable, Sendable {
    case stop
    case backOff = "back_off"
    case reconnect
    case newToken = "new_token"

    /// The advice for any close code, the hub's own (4000…4399), RFC 6455's, or one never heard of.
    public init(code: UInt16) {
        switch code {
        case 4000...4099: self = .stop
        case 4200...4299: self = .reconnect
        case 4300...4399: self = .newToken
        default: self = StandardCloseCode(rawValue: code)?.advice ?? .backOff
        }
    }

    /// Whether the client comes back by itself.
    public var reconnects: Bool { self != .stop }

    public var meaning: String {
        switch self {
        case .stop: "Do not reconnect by yourself."
        case .backOff: "Reconnect with growing, random pauses, never before the announced moment."
        case .reconnect: "Reconnect at a random moment of the announced window."
        case .newToken: "Get a new token, then reconnect."
        }
    }
}

/// Why the hub closes a connection: the private codes of RFC 6455 §7.4.2, grouped by hundreds by what the client does next.
public enum CloseCode: UInt16, CaseIterable, Sendable {
    case badFrame = 4000
    case forbidden = 4003
    case replaced = 4008
    case blocked = 4009
    case featureOff = 4010
    case overloaded = 4100
    case slowConsumer = 4101
    case rateLimited = 4102
    case connectionLimit = 4103
    case idle = 4104
    case connectTimeout = 4105
    case draining = 4200
    case noPong = 4201
    case tokenExpired = 4300
    case tokenInvalid = 4301
    case tokenRevoked = 4302
    case privilegesChanged = 4304

    /// The one table: documentation and the clients' copies are made from it.
    private var row: (reason: String, meaning: String) {
        switch self {
        case .badFrame:
            ("bad_frame", "The client sent what this subprotocol never carries, such as a binary message, or commands and no connect.")
        case .forbidden: ("forbidden", "The user may not use the hub.")
        case .replaced: ("replaced", "A newer connection has taken this one's place.")
        case .blocked: ("blocked", "The user has been blocked.")
        case .featureOff: ("feature_off", "Real-time delivery is switched off for this user.")
        case .overloaded: ("overloaded", "The hub has too much to do.")
        case .slowConsumer: ("slow_consumer", "The client did not read what was sent to it.")
        case .rateLimited: ("rate_limited", "The client sent too much in too short a time.")
        case .connectionLimit: ("connection_limit", "Too many connections of one user or one address.")
        case .idle: ("idle", "Nothing was done for a long time; reconnect when the user is active again.")
        case .connectTimeout: ("connect_timeout", "No connect command came in time.")
        case .draining: ("draining", "This hub is being stopped or restarted; another one, or the same one, takes over.")
        case .noPong: ("no_pong", "The client did not answer pings.")
        case .tokenExpired: ("token_expired", "The token expired and no refresh came.")
        case .tokenInvalid: ("token_invalid", "The token cannot be trusted or is not for this hub.")
        case .tokenRevoked: ("token_revoked", "The token has been revoked.")
        case .privilegesChanged: ("privileges_changed", "The user's rights have changed.")
        }
    }

    /// Kept for what later versions do; no code of this one sends it.
    public var isReserved: Bool {
        switch self {
        case .forbidden, .replaced, .blocked, .featureOff, .overloaded, .slowConsumer, .rateLimited, .connectionLimit, .idle,
            .tokenRevoked, .privilegesChanged:
            true
        case .badFrame, .connectTimeout, .draining, .noPong, .tokenExpired, .tokenInvalid: false
        }
    }

    /// The short name sent as the reason of the close frame and in `bye`.
    public var reason: String { row.reason }
    /// One English sentence: what happened.
    public var meaning: String { row.meaning }
    public var advice: CloseAdvice { CloseAdvice(code: rawValue) }

    /// The table for `docs/PROTOCOL.md`, the codes of RFC 6455 after the hub's own.
    public static var markdownTable: String {
        "| code | reason | meaning | what the client does |\n|---|---|---|---|\n"
            + allCases.map {
                "| \($0.rawValue) | `\($0.reason)` | \($0.meaning.cell(isReserved: $0.isReserved)) | \($0.advice.meaning.cell()) |\n"
            }.joined()
            + StandardCloseCode.allCases.map { "| \($0.rawValue) | – | \($0.meaning.cell()) | \($0.advice.meaning.cell()) |\n" }.joined()
    }

    /// The table for client libraries: `[{"code","reason","meaning","advice"}…]`; RFC 6455's codes have no reason.
    public static var jsonTable: String {
        let own = allCases.map { code -> JSONValue in
            [
                "code": .number(JSONNumber(UInt64(code.rawValue))), "reason": .string(code.reason), "meaning": .string(code.meaning),
                "advice": .string(code.advice.rawValue),
            ]
        }
        let standard = StandardCloseCode.allCases.map { code -> JSONValue in
            [
                "code": .number(JSONNumber(UInt64(code.rawValue))), "meaning": .string(code.meaning),
                "advice": .string(code.advice.rawValue),
            ]
        }
        return JSONValue.array(own + standard).text
    }
}

/// The codes of RFC 6455 §7.4.1 that a client of the hub may see, with what they mean here.
public enum StandardCloseCode: UInt16, CaseIterable, Sendable {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case noStatus = 1005
    case abnormal = 1006
    case invalidPayload = 1007
    case policyViolation = 1008
    case messageTooBig = 1009
    case mandatoryExtension = 1010
    case internalError = 1011

    private var row: (advice: CloseAdvice, meaning: String) {
        switch self {
        case .normal: (.stop, "The client closed, and the hub answers.")
        case .goingAway: (.backOff, "A proxy or the page is going away.")
        case .protocolError: (.backOff, "A frame broke RFC 6455.")
        case .unsupportedData: (.backOff, "A kind of message that is not accepted.")
        case .noStatus: (.backOff, "The close frame named no code (never sent).")
        case .abnormal: (.backOff, "The connection broke without a close frame (never sent).")
        case .invalidPayload: (.backOff, "Text that is not UTF-8, or compressed data that cannot be inflated.")
        case .policyViolation: (.backOff, "Refused by a rule for which there is no better code.")
        case .messageTooBig: (.backOff, "A message larger than the announced limit.")
        case .mandatoryExtension: (.stop, "The client asked for an extension the hub does not have.")
        case .internalError: (.backOff, "The hub failed.")
        }
    }

    public var advice: CloseAdvice { row.advice }
    /// One English sentence: what happened.
    public var meaning: String { row.meaning }
}

extension String {
    /// As a cell of a Markdown table: `<` would begin a tag there, and what follows it would not be seen.
    func cell(isReserved: Bool = false) -> String {
        var text = ""
        for character in self {
            switch character {
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            default: text.append(character)
            }
        }
        return isReserved ? text + " *Reserved: this version does not send it.*" : text
    }
}

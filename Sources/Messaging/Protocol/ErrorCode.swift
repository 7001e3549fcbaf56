/// The reason for refusing a command, in `{"re":…,"error":{"code":…}}`. The raw value is the code on the wire.
public enum ErrorCode: String, CaseIterable, Sendable {
    case badJSON = "bad_json"
    case badRequest = "bad_request"
    case unknownType = "unknown_type"
    case unsupported
    case notConnected = "not_connected"
    case alreadyConnected = "already_connected"
    case invalidToken = "invalid_token"
    case tokenExpired = "token_expired"
    case tokenRevoked = "token_revoked"
    case subjectChanged = "subject_changed"
    case forbidden
    case unknownChannel = "unknown_channel"
    case notSubscribed = "not_subscribed"
    case notSent = "not_sent"
    case sessionElsewhere = "session_elsewhere"
    case positionUnknown = "position_unknown"
    case positionTooOld = "position_too_old"
    case tooLarge = "too_large"
    case limitExceeded = "limit_exceeded"
    case rateLimited = "rate_limited"
    case featureOff = "feature_off"
    case overloaded
    case unavailable
    case `internal`

    /// The source of the table in the documents and of the clients' copies.
    private var row: (isTemporary: Bool, meaning: String, advice: String) {
        switch self {
        case .badJSON: (false, "The line is not strict JSON (RFC 8259).", "Correct the client.")
        case .badRequest:
            (false, "A member is missing, of the wrong kind or out of its range; the message names it.", "Correct the client.")
        case .unknownType: (false, "The hub has no command of this type.", "Continue without it: the hub may be older than the client.")
        case .unsupported:
            (
                false, "The hub does not have a feature that connect requires; the message names it.",
                "Continue without the feature, or tell the user that the hub is too old."
            )
        case .notConnected: (false, "The command arrived before the reply to connect.", "Send connect and wait for its reply.")
        case .alreadyConnected: (false, "The client sent a second connect on the same connection.", "Use refresh for a new token.")
        case .invalidToken: (false, "The token cannot be verified or is not for this hub.", "Get a new token.")
        case .tokenExpired: (false, "The token has expired.", "Get a new token.")
        case .tokenRevoked:
            (
                false, "The token was issued before the end of its login, or before a change of the user's rights.",
                "Get a new token; the user may have to sign in again."
            )
        case .subjectChanged: (false, "The new token belongs to another user.", "Open another connection for another user.")
        case .forbidden: (false, "The user may not do this here, or the channel does not exist.", "Do not repeat it.")
        case .unknownChannel: (false, "This is not the name of a channel.", "Use inbox, broadcast:<name> or conversation:<uuid>.")
        case .notSubscribed: (false, "The session does not follow this channel.", "Subscribe first.")
        case .notSent: (false, "The entry was never sent to this session.", "Acknowledge only what was received.")
        case .sessionElsewhere:
            (
                false, "The hub that got the request does not have the session, and the command concerns the session itself.",
                "Open another session with the channels that the client follows."
            )
        case .positionUnknown:
            (
                false, "since is greater than the number of the channel's newest entry, or belongs to another epoch.",
                "Discard the stored entries of the channel, and subscribe again without since."
            )
        case .positionTooOld:
            (
                false, "Entries behind since were removed because of their age: since is smaller than first - 1.",
                "Discard the stored entries of the channel, take first from the channel state, and subscribe again with since: first - 1, or without since."
            )
        case .tooLarge: (false, "A member is larger than the announced limit.", "Shorten it.")
        case .limitExceeded: (false, "A number exceeds the announced limit.", "Send or request less.")
        case .rateLimited: (true, "The client sent too many commands in too short a time.", "Repeat after retryAfterMs.")
        case .featureOff:
            (
                true, "An operator has switched the feature off for this user; control tells which ones are.",
                "Tell the user; repeat it, a send with the same key, when control says that the feature is on again."
            )
        case .overloaded: (true, "The hub is overloaded.", "Repeat after retryAfterMs, or with growing pauses.")
        case .unavailable:
            (
                true, "A service that the command needs is unavailable. The command usually has no effect, but it may have taken effect.",
                "Repeat it, a send with the same key, after retryAfterMs, or with growing pauses."
            )
        case .internal:
            (
                true, "The hub failed; the command may or may not have taken effect.",
                "Repeat it, a send with the same key, with growing pauses."
            )
        }
    }

    /// Reserved for later versions of the hub; this version does not send it.
    public var isReserved: Bool {
        switch self {
        case .overloaded: true
        case .badJSON, .badRequest, .unknownType, .unsupported, .notConnected, .alreadyConnected, .invalidToken, .tokenExpired,
            .tokenRevoked, .subjectChanged, .forbidden, .unknownChannel, .notSubscribed, .notSent, .sessionElsewhere, .positionUnknown,
            .positionTooOld, .tooLarge, .limitExceeded, .rateLimited, .featureOff, .unavailable, .internal:
            false
        }
    }

    /// Whether the same command may succeed later.
    public var isTemporary: Bool { row.isTemporary }
    /// One English sentence about the cause.
    public var meaning: String { row.meaning }
    /// One English sentence about the client's next step.
    public var advice: String { row.advice }

    /// The table for `docs/reference/protocol.md`.
    public static var markdownTable: String {
        "| code | temporary | meaning | what the client does |\n|---|---|---|---|\n"
            + allCases.map { code in
                let meaning = code.meaning.cell(isReserved: code.isReserved)
                return "| `\(code.rawValue)` | \(code.isTemporary ? "yes" : "no") | \(meaning) | \(code.advice.cell()) |\n"
            }.joined()
    }
}

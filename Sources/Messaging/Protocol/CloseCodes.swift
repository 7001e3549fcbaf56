// The close code of each `EndReason`, from the private range of RFC 6455 §7.4.2. The hundreds tell the client its next step. `bye` and
// the close frame of a WebSocket contain the code.
extension EndReason {
    public var code: UInt16 {
        switch self {
        case .badFrame: 4000
        case .forbidden: 4003
        case .replaced: 4008
        case .blocked: 4009
        case .featureOff: 4010
        case .overloaded: 4100
        case .slowConsumer: 4101
        case .rateLimited: 4102
        case .connectionLimit: 4103
        case .idle: 4104
        case .connectTimeout: 4105
        case .draining: 4200
        case .noPong: 4201
        case .restored: 4202
        case .tokenExpired: 4300
        case .tokenInvalid: 4301
        case .tokenRevoked: 4302
        case .privilegesChanged: 4304
        }
    }

    public init?(code: UInt16) {
        guard let reason = Self.allCases.first(where: { $0.code == code }) else { return nil }
        self = reason
    }

    /// The table for `docs/reference/protocol.md`; the codes of RFC 6455 follow the hub's own.
    public static var markdownTable: String {
        "| code | reason | meaning | what the client does |\n|---|---|---|---|\n"
            + allCases.map {
                "| \($0.code) | `\($0.reason)` | \($0.meaning.cell(isReserved: $0.isReserved)) | \($0.advice.meaning.cell()) |\n"
            }.joined()
            + StandardCloseCode.allCases.map { "| \($0.rawValue) | – | \($0.meaning.cell()) | \($0.advice.meaning.cell()) |\n" }.joined()
    }
}

extension EndAdvice {
    /// The advice for any close code: the hub's own (4000…4399), RFC 6455's, or an unknown one. Only the hundreds decide, so that clients
    /// understand the codes of later versions.
    public init(code: UInt16) {
        switch code {
        case 4000...4099: self = .stop
        case 4200...4299: self = .reconnect
        case 4300...4399: self = .newToken
        default: self = StandardCloseCode(rawValue: code)?.advice ?? .backOff
        }
    }
}

/// The codes of RFC 6455 §7.4.1 that a client of the hub may receive, with their meaning here.
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

    private var row: (advice: EndAdvice, meaning: String) {
        switch self {
        case .normal: (.stop, "The client closed the connection, and the hub confirms it.")
        case .goingAway: (.backOff, "A proxy is shutting down, or the user leaves the page.")
        case .protocolError: (.backOff, "A frame broke RFC 6455.")
        case .unsupportedData: (.backOff, "The hub does not accept this kind of message.")
        case .noStatus: (.backOff, "The close frame had no code. This code is never sent.")
        case .abnormal: (.backOff, "The connection broke without a close frame. This code is never sent.")
        case .invalidPayload: (.backOff, "A text was not UTF-8, or compressed data could not be decompressed.")
        case .policyViolation: (.backOff, "The client broke a rule that has no code of its own.")
        case .messageTooBig: (.backOff, "A message was larger than the announced limit.")
        case .mandatoryExtension: (.stop, "The client requires an extension that the hub does not have.")
        case .internalError: (.backOff, "The hub failed.")
        }
    }

    public var advice: EndAdvice { row.advice }
    /// One English sentence about the cause of the close.
    public var meaning: String { row.meaning }
}

extension String {
    /// The text as a cell of a Markdown table. `<` is escaped, because it would begin an HTML tag.
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

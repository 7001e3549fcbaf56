/// What this server grants of permessage-deflate (RFC 7692).
public struct DeflatePolicy: Equatable, Sendable {
    /// Whether this side's compressor may remember earlier messages, when the client allows it. Off: about 256 KiB more per
    /// connection when on, and broadcast frames could not be shared.
    public var serverContextTakeover = false
    /// Whether the client's compressor may remember earlier messages. Off: about 40 KiB more per connection when on.
    public var clientContextTakeover = false
    /// The largest window this side compresses with, 9…15 bits.
    public var serverMaxWindowBits: UInt8 = 15
    /// The largest window asked of a client that offers to limit its own, 8…15 bits.
    public var clientMaxWindowBits: UInt8 = 15

    public init() {}
}

/// The parameters both ends agreed on (RFC 7692 §7.1).
public struct DeflateAgreement: Equatable, Sendable {
    /// The server compresses every message from nothing: its compressed frames can be shared.
    public var serverNoContextTakeover: Bool
    /// The client compresses every message from nothing: one inflater serves all connections.
    public var clientNoContextTakeover: Bool
    public var serverWindowBits: UInt8
    public var clientWindowBits: UInt8

    public init(
        serverNoContextTakeover: Bool = true, clientNoContextTakeover: Bool = true, serverWindowBits: UInt8 = 15,
        clientWindowBits: UInt8 = 15
    ) {
        self.serverNoContextTakeover = serverNoContextTakeover
        self.clientNoContextTakeover = clientNoContextTakeover
        self.serverWindowBits = serverWindowBits
        self.clientWindowBits = clientWindowBits
    }
}

/// The four parameters as one offer or response states them, after the grammar has been checked.
struct DeflateParameters: Equatable, Sendable {
    static let extensionName = "permessage-deflate"

    enum WindowBits: Equatable, Sendable {
        case absent
        /// Named without a value: legal only for `client_max_window_bits` in an offer (RFC 7692 §7.1.2.2).
        case unlimited
        case bits(UInt8)
    }

    var serverNoContextTakeover = false
    var clientNoContextTakeover = false
    var serverMaxWindowBits = WindowBits.absent
    var clientMaxWindowBits = WindowBits.absent

    /// nil for what an end must decline: an unknown name, a repeated one, an invalid value (RFC 7692 §7.1).
    init?(_ parameters: [ExtensionOffer.Parameter]) {
        var seen: Set<String> = []
        for parameter in parameters {
            guard seen.insert(parameter.name).inserted else { return nil }
            switch parameter.name {
            case "server_no_context_takeover":
                guard parameter.value == nil else { return nil }
                serverNoContextTakeover = true
            case "client_no_context_takeover":
                guard parameter.value == nil else { return nil }
                clientNoContextTakeover = true
            case "server_max_window_bits":
                guard let value = parameter.value, let bits = Self.bits(value) else { return nil }
                serverMaxWindowBits = .bits(bits)
            case "client_max_window_bits":
                if let value = parameter.value {
                    guard let bits = Self.bits(value) else { return nil }
                    clientMaxWindowBits = .bits(bits)
                } else {
                    clientMaxWindowBits = .unlimited
                }
            default:
                return nil
            }
        }
    }

    /// 8…15, in decimal, without leading zeros.
    private static func bits(_ text: String) -> UInt8? {
        guard let bits = UInt8(text), (8...15).contains(bits), String(bits) == text else { return nil }
        return bits
    }
}

enum DeflateNegotiation {
    /// The first offer this policy can meet, and the response to it (RFC 7692 §5.1, §7.1).
    static func answer(_ offers: [ExtensionOffer], _ policy: DeflatePolicy) -> (agreement: DeflateAgreement, response: String)? {
        for offer in offers where offer.name == DeflateParameters.extensionName {
            guard let asked = DeflateParameters(offer.parameters) else { continue }
            if let agreement = meet(asked, policy) { return (agreement, response(agreement, asked)) }
        }
        return nil
    }

    private static func meet(_ asked: DeflateParameters, _ policy: DeflatePolicy) -> DeflateAgreement? {
        var agreement = DeflateAgreement(
            serverNoContextTakeover: asked.serverNoContextTakeover || !policy.serverContextTakeover,
            clientNoContextTakeover: asked.clientNoContextTakeover || !policy.clientContextTakeover,
            serverWindowBits: min(max(policy.serverMaxWindowBits, 9), 15))
        if case .bits(let bits) = asked.serverMaxWindowBits {
            // zlib has no raw deflate with a window of 8 bits, and a larger one would break the promise: the next offer, or none.
            guard bits >= 9 else { return nil }
            agreement.serverWindowBits = min(bits, agreement.serverWindowBits)
        }
        switch asked.clientMaxWindowBits {
        // RFC 7692 §7.1.2.2: without the client's consent its window cannot be limited.
        case .absent: agreement.clientWindowBits = 15
        case .unlimited: agreement.clientWindowBits = min(max(policy.clientMaxWindowBits, 8), 15)
        case .bits(let bits): agreement.clientWindowBits = min(bits, max(policy.clientMaxWindowBits, 8))
        }
        return agreement
    }

    private static func response(_ agreement: DeflateAgreement, _ asked: DeflateParameters) -> String {
        var parts = [DeflateParameters.extensionName]
        if agreement.serverNoContextTakeover { parts.append("server_no_context_takeover") }
        if agreement.clientNoContextTakeover { parts.append("client_no_context_takeover") }
        if agreement.serverWindowBits < 15 || asked.serverMaxWindowBits != .absent {
            parts.append("server_max_window_bits=\(agreement.serverWindowBits)")
        }
        if asked.clientMaxWindowBits != .absent, agreement.clientWindowBits < 15 || asked.clientMaxWindowBits != .unlimited {
            parts.append("client_max_window_bits=\(agreement.clientWindowBits)")
        }
        return parts.joined(separator: "; ")
    }

    /// The offer of a client that knows every parameter.
    static func offer(_ policy: DeflatePolicy) -> String {
        var parts = [DeflateParameters.extensionName, "client_max_window_bits"]
        if !policy.serverContextTakeover { parts.append("server_no_context_takeover") }
        if !policy.clientContextTakeover { parts.append("client_no_context_takeover") }
        return parts.joined(separator: "; ")
    }

    /// What a server's response means for a client that sent `offer`; nil when the client must fail the connection (RFC 7692 §7.1).
    static func accept(_ response: ExtensionOffer, _ policy: DeflatePolicy) -> DeflateAgreement? {
        guard response.name == DeflateParameters.extensionName, let given = DeflateParameters(response.parameters) else { return nil }
        // RFC 7692 §7.1.1.1: an offered server_no_context_takeover must be granted.
        guard given.serverNoContextTakeover || policy.serverContextTakeover else { return nil }
        var agreement = DeflateAgreement(
            serverNoContextTakeover: given.serverNoContextTakeover,
            clientNoContextTakeover: given.clientNoContextTakeover || !policy.clientContextTakeover)
        if case .bits(let bits) = given.serverMaxWindowBits { agreement.serverWindowBits = bits }
        switch given.clientMaxWindowBits {
        case .absent: break
        case .unlimited: return nil
        case .bits(let bits): agreement.clientWindowBits = bits
        }
        return agreement
    }
}

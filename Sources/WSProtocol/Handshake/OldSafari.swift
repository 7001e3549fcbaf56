import HTTP

/// Safari 15.0 to 15.3, and every browser of iOS 15.0 to 15.3, which all use its WebKit: they offer permessage-deflate, do not know
/// `client_max_window_bits`, and compress with context takeover although the response forbids it (`client_no_context_takeover`, which a client
/// must obey: RFC 7692 §7.1.1.2). Their second message could not be inflated. Later versions do as they are told.
enum OldSafari {
    static func sent(_ request: HTTPRequest) -> Bool {
        guard let agent = request.headers.first("user-agent")?.utf8, agent.firstRange(of: "AppleWebKit/".utf8) != nil else { return false }
        // Chromium has "Safari/" and no "Version/"; another browser of iOS has no version but the system's.
        return ["Version/15.", "iPhone OS 15_", "CPU OS 15_"].contains { isBelow4(after: $0, in: agent) }
    }

    /// Whether a number from 0 to 3 follows the text.
    private static func isBelow4(after text: String, in agent: String.UTF8View) -> Bool {
        guard let range = agent.firstRange(of: text.utf8) else { return false }
        let digits = agent[range.upperBound...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard digits.count == 1, let digit = digits.first else { return false }
        return digit <= UInt8(ascii: "3")
    }
}

import JSON

/// The readable form of `hub tail`: one line for each message of the hub.
///
/// An entry begins with the time when it was stored (UTC), everything else is indented. Texts come from publishers and other users, so control
/// characters in them are not passed on to the terminal.
struct TailText {
    /// The language of titles and bodies that come in several, as in `en`.
    let language: String

    private static let indent = String(repeating: " ", count: "2026-11-28 23:43:53  ".utf8.count)

    /// The line for a message, or nil when there is nothing to tell: the reply to a command of `hub tail` itself.
    func line(_ bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let message = try? JSONValue.parse(bytes) else { return Self.printable(text) }
        if message["re"] != nil { return reply(message).map { Self.indent + Self.printable($0) } }
        if message["type"]?.string == "entry" { return Self.printable(entry(message)) }
        return Self.indent + Self.printable(push(message) ?? text)
    }

    private func reply(_ message: JSONValue) -> String? {
        if let error = message["error"] {
            return "refused: \(word(error["code"])): \(word(error["message"]))"
        }
        guard let ok = message["ok"] else { return nil }
        if let user = ok["user"]?.string {
            let count = ok["channels"]?.array?.count ?? 0
            return "connected as \(user), \(Self.counted(count, "channel"))"
        }
        guard ok["since"] != nil, let channel = ok["channel"]?.string else { return nil }
        return "\(channel): followed after #\(number(ok["since"])) of \(number(ok["head"])), \(counters(ok))"
    }

    private func entry(_ message: JSONValue) -> String {
        let time = word(message["createdAt"]).prefix(19).replacing("T", with: " ", maxReplacements: 1)
        let name = "\(word(message["channel"])) #\(number(message["seq"]))"
        let priority = message["priority"]?.string.flatMap { $0 == "normal" ? nil : "[\($0)] " } ?? ""
        let parts = [inLanguage(message["title"]), inLanguage(message["body"])].filter { !$0.isEmpty }
        let source = message["sender"]?.string ?? word(message["event"])
        let link = message["link"]?.string.map { "  \($0)" } ?? ""
        let expiry = message["expiresAt"]?.string.map { "  (until \($0))" } ?? ""
        let replay = message["replay"]?.bool == true ? "  (replay)" : ""
        let text = ([source] + (parts.isEmpty ? [] : [parts.joined(separator: " – ")])).joined(separator: ": ")
        return "\(time)  \(name)  \(priority)\(text)\(link)\(expiry)\(replay)"
    }

    private func push(_ message: JSONValue) -> String? {
        let channel = word(message["channel"])
        switch message["type"]?.string {
        case "signal":
            switch message["signal"]?.string {
            case "live": return "\(channel): live after #\(number(message["seq"]))"
            case "typing": return "\(channel): \(word(message["user"])) is typing"
            case "conversation": return "\(channel): opened by \(word(message["user"]))"
            case "unsubscribed": return "\(channel): may not be followed any more"
            default: return nil
            }
        case "cursor":
            let states = ["delivered", "seen", "read"].map { "\($0) #\(number(message[$0]))" }
            return "\(channel): \(states.joined(separator: ", "))"
        case "receipt":
            return "\(channel): \(word(message["user"])) has got #\(number(message["delivered"])), read #\(number(message["read"]))"
        case "counters":
            guard let channels = message["channels"]?.array, let totals = message["totals"] else { return nil }
            let each = channels.map { "\(word($0["channel"])): \(counters($0))" }
            return (each + ["in all \(counters(totals))"]).joined(separator: "; ")
        case "bye":
            return "the hub closes: \(number(message["code"])) \(word(message["reason"]))"
        default: return nil
        }
    }

    private func counters(_ numbers: JSONValue) -> String {
        let urgent = numbers["urgent"]?.uint64 ?? 0
        return "\(number(numbers["unread"])) unread" + (urgent > 0 ? " (\(urgent) urgent)" : "")
    }

    /// A text, or one of a text in several languages: the user's, else English, else the first.
    private func inLanguage(_ text: JSONValue?) -> String {
        guard let languages = text?.object else { return word(text) }
        return (languages[language] ?? languages["en"] ?? languages.members.first?.value)?.string ?? ""
    }

    private func word(_ value: JSONValue?) -> String { value?.string ?? "" }
    private func number(_ value: JSONValue?) -> String { value?.uint64.map { "\($0)" } ?? "?" }
    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// Line breaks become spaces. Other control characters (escape sequences) and those that reverse the order of a line become U+FFFD.
    private static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A, 0x0D, 0x85, 0x2028, 0x2029: result.append(" ")
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: result.append("\u{FFFD}")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}

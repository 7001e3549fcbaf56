internal import Bytes

/// Encodes a session's positions in its channels as one short text, for `Last-Event-ID` and `after`. Clients return it unchanged.
///
/// `1;e07f3a91c;i@42;bsystem@7;cezBKHlLFTw6aVQo8bx8rEQ@3`: a version, the epoch, then for each channel a letter for its kind, its name and
/// the newest entry that the client has. A part that begins with `#` is a number that distinguishes the hub's answers. A conversation's UUID is written in
/// base64url, so that 256 channels fit the 8 KiB of one header field.
public enum PositionText {
    private static let version = "1"

    public static func write(_ positions: [(channel: Channel, seq: Seq)], epoch: Epoch? = nil) -> String {
        var text = version
        if let epoch { text += ";e\(epoch.text)" }
        for (channel, seq) in positions {
            text += ";"
            switch channel {
            case .inbox: text += "i"
            case .broadcast(let name): text += "b" + escaped(name)
            case .conversation(let id): text += "c" + Base64URL.encode(bytes(of: id))
            }
            text += "@\(seq.rawValue)"
        }
        return text
    }

    public struct Positions: Sendable {
        /// The epoch to which the numbers belong; nil when the hub had not reached its store.
        public var epoch: Epoch?
        public var channels: [(channel: Channel, seq: Seq)] = []
    }

    /// Nil when the text does not have the format of `write`. Reads at most `limit` channels.
    public static func read(_ text: String, for user: UserID, limit: Int = 1_000) -> Positions? {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        guard parts.first.map({ $0 == version }) == true, parts.count <= limit + 2 else { return nil }
        var positions = Positions()
        for part in parts.dropFirst() where part.first != "#" {
            if part.first == "e", positions.epoch == nil, let epoch = Epoch(String(part.dropFirst())) {
                positions.epoch = epoch
                continue
            }
            guard let at = part.lastIndex(of: "@"), let seq = UInt64(part[part.index(after: at)...]), seq <= CommandLimits.maximumNumber,
                let channel = channel(part[..<at], user)
            else { return nil }
            positions.channels.append((channel, Seq(seq)))
        }
        return positions
    }

    private static func channel(_ text: Substring, _ user: UserID) -> Channel? {
        let name = text.dropFirst()
        switch text.first {
        case "i": return name.isEmpty ? .inbox(user) : nil
        case "b":
            guard let name = unescaped(name) else { return nil }
            return Channel(wireName: "broadcast:" + name, for: user)
        case "c":
            guard let bytes = Base64URL.decode(String(name)), bytes.count == 16 else { return nil }
            return Channel(wireName: "conversation:" + uuid(bytes), for: user)
        default: return nil
        }
    }

    private static func bytes(of id: ConversationID) -> [UInt8] {
        var bytes: [UInt8] = []
        var high: UInt8?
        for digit in id.text.utf8 {
            guard let value = hexadecimalValue(digit) else { continue }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return bytes
    }

    private static func uuid(_ bytes: [UInt8]) -> String {
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += byte.hexDigits
        }
        return text
    }

    /// Percent-encodes every byte but letters, digits and `:._-`.
    private static func escaped(_ name: String) -> String {
        var text: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                text.append(byte)
            default:
                text.append(UInt8(ascii: "%"))
                text.append(contentsOf: byte.hexDigits.utf8)
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next().flatMap(hexadecimalValue), let low = rest.next().flatMap(hexadecimalValue) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

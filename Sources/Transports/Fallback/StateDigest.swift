import Bytes
import JSON

/// What a poll without a session tells of the state of the user's channels, as a number that the client gives back in its next poll.
///
/// A poll that finds the state unchanged tells nothing of it and waits, at whichever hub it arrives.
struct StateDigest: Equatable {
    let number: UInt64
    /// The pushes that came with the reply to `connect`.
    var pushes: [UInt8] = []
    /// Those that are not part of the state.
    var otherPushes: [UInt8] = []
    /// Entries are still being read for at least one channel.
    var isBehind = false

    static func == (a: StateDigest, b: StateDigest) -> Bool { a.number == b.number }

    /// The part of `after`, which `PositionText` passes over.
    var text: String { "#s" + String(number, radix: 16) }

    /// Nil when the text is not of a poll without a session.
    init?(after: String) {
        guard let part = after.split(separator: ";").last, part.hasPrefix("#s"), let number = UInt64(part.dropFirst(2), radix: 16) else {
            return nil
        }
        self.number = number
    }

    /// - Parameters:
    ///   - reply: to `connect`, a line.
    ///   - pushes: lines.
    init(reply: [UInt8], pushes: [UInt8]) {
        var hash = Hash()
        var followed = 0
        if case .object(let ok)? = (try? JSONValue.parse(reply))?["ok"] {
            for member in ok.members where !Self.ofTheMoment.contains(member.name) {
                guard member.name == "channels", let channels = member.value.array else {
                    hash.add(member.value.text)
                    continue
                }
                for channel in channels {
                    guard case .object(let state) = channel else { continue }
                    if state["subscribed"]?.bool == true { followed += 1 }
                    for member in state.members where !Self.ofTheAcks.contains(member.name) { hash.add(member.value.text) }
                }
            }
        }
        self.pushes = pushes
        for line in pushes.split(separator: UInt8(ascii: "\n")) {
            let type = (try? JSONValue.parse(Array(line))).flatMap { ($0["type"]?.string, $0["signal"]?.string) }
            switch type {
            case ("receipt"?, _)?: hash.add(line)
            case ("signal"?, "live"?)?: followed -= 1
            default:
                if !otherPushes.isEmpty { otherPushes.append(UInt8(ascii: "\n")) }
                otherPushes += line
            }
        }
        isBehind = followed > 0
        number = hash.value
    }

    /// Differ from one session to the next.
    private static let ofTheMoment: Set<String> = ["session", "time", "tokenExpiresAt", "tokenTtlMs", "node", "position"]
    /// Change with the client's own acks.
    private static let ofTheAcks: Set<String> = ["delivered", "version"]

    /// FNV-1a: the same on every hub. A client that finds two states with one number deceives itself only.
    private struct Hash {
        private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ text: String) { add(Array(text.utf8)) }
        mutating func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
            value = (value ^ 0xff) &* 0x100_0000_01b3
        }
    }
}

import JSON
import Messaging

/// What `hub tail` says and learns on the hub's lines: connects, follows channels, remembers how far it came.
/// Lives over several connections. Unless it `acknowledges`, it never moves anybody's cursor.
struct TailFollower {
    private let token: String
    private let acknowledges: Bool
    /// Empty: every channel that the reply to `connect` lists.
    private let wanted: [String]
    /// The newest entry seen, by channel: where to go on after a lost connection.
    private(set) var positions: [String: UInt64]
    private(set) var bye: Bye?
    private(set) var entries = 0
    private var nextID: UInt64 = 2
    /// Channels of this connection that are still being caught up with; nil before the reply to `connect`.
    private var catchingUp: Set<String>?

    private static let connectID: UInt64 = 1

    /// The hub's own advice for the way back.
    struct Bye: Equatable {
        var afterMilliseconds: Int64
        var spreadMilliseconds: Int64
    }

    /// What one line asks for.
    struct Reaction: Equatable {
        /// To be sent to the hub, one line each.
        var commands: [String] = []
        /// The hub refused the token or a channel; there is nothing to wait for.
        var refusal: String?
        /// The hub cannot let us in just now; the connection is of no use.
        var setback: String?
        /// Everything there was has come; from now on what happens is heard as it happens. Once per connection.
        var isLive = false
    }

    init(token: String, channels: [String], since: UInt64?, acknowledges: Bool = false) {
        self.acknowledges = acknowledges
        self.token = token
        wanted = channels
        positions = since.map { since in Dictionary(channels.map { ($0, since) }, uniquingKeysWith: { first, _ in first }) } ?? [:]
    }

    /// The first line on every connection.
    mutating func connect() -> String {
        bye = nil
        catchingUp = nil
        nextID = Self.connectID + 1
        var command = JSONObject()
        command["id"] = .number(JSONNumber(Self.connectID))
        command["type"] = "connect"
        command["token"] = .string(token)
        if !wanted.isEmpty { command["channels"] = .array(wanted.map { subscription($0) }) }
        return JSONValue.object(command).text
    }

    /// Takes a line the hub sent. One that is not JSON asks for nothing: it is printed all the same.
    mutating func read(_ line: [UInt8]) -> Reaction {
        guard let message = try? JSONValue.parse(line) else { return Reaction() }
        if let reply = message["re"] { return read(reply: message, to: reply.uint64) }
        switch message["type"]?.string {
        case "entry": return readEntry(message)
        case "signal": return readSignal(message)
        case "bye":
            bye = Bye(afterMilliseconds: message["afterMs"]?.int64 ?? 0, spreadMilliseconds: message["spreadMs"]?.int64 ?? 0)
        default: break
        }
        return Reaction()
    }

    private mutating func read(reply message: JSONValue, to id: UInt64?) -> Reaction {
        if let error = message["error"] {
            let reason = [error["code"]?.string, error["message"]?.string].compactMap(\.self).joined(separator: ": ")
            guard error["temporary"]?.bool == true else { return Reaction(refusal: reason) }
            return id == Self.connectID ? Reaction(setback: reason) : Reaction()
        }
        guard id == Self.connectID, let reply = message["ok"] else { return Reaction() }
        if let refused = reply["refused"]?.array?.first {
            return Reaction(refusal: [refused["channel"]?.string, refused["code"]?.string].compactMap(\.self).joined(separator: ": "))
        }
        let names = wanted.isEmpty ? (reply["channels"]?.array ?? []).compactMap { $0["channel"]?.string } : wanted
        catchingUp = Set(names)
        return Reaction(commands: wanted.isEmpty ? names.map { follow($0) } : [])
    }

    private mutating func readEntry(_ entry: JSONValue) -> Reaction {
        entries += 1
        guard let channel = entry["channel"]?.string, let seq = entry["seq"]?.uint64 else { return Reaction() }
        let position = max(seq, positions[channel] ?? 0)
        positions[channel] = position
        guard acknowledges else { return Reaction() }
        // Without an id: nothing is to be told when it succeeds.
        var command = JSONObject()
        command["type"] = "ack"
        command["channel"] = .string(channel)
        command["seq"] = .number(JSONNumber(position))
        return Reaction(commands: [JSONValue.object(command).text])
    }

    /// A conversation that was just opened is followed from its beginning.
    private mutating func readSignal(_ signal: JSONValue) -> Reaction {
        if signal["signal"]?.string == "live", let channel = signal["channel"]?.string {
            let wasLast = catchingUp?.remove(channel) != nil && catchingUp?.isEmpty == true
            return Reaction(isLive: wasLast)
        }
        guard wanted.isEmpty, signal["signal"]?.string == "conversation", let channel = signal["channel"]?.string else { return Reaction() }
        positions[channel] = positions[channel] ?? 0
        return Reaction(commands: [follow(channel)])
    }

    private mutating func follow(_ channel: String) -> String {
        var command = JSONObject()
        command["id"] = .number(JSONNumber(nextID))
        command["type"] = "subscribe"
        command["channel"] = .string(channel)
        command["since"] = positions[channel].map { .number(JSONNumber($0)) }
        nextID += 1
        return JSONValue.object(command).text
    }

    private func subscription(_ channel: String) -> JSONValue {
        var members = JSONObject()
        members["channel"] = .string(channel)
        members["since"] = positions[channel].map { .number(JSONNumber($0)) }
        return .object(members)
    }
}

import JSON
import Messaging

/// The protocol state of `hub tail`: it connects, follows channels and records its positions.
/// It outlives single connections. It moves the user's cursors only if `acknowledges` is set.
struct TailFollower {
    private let token: String
    private let acknowledges: Bool
    /// The channels to follow. An empty list stands for every channel in the reply to `connect`.
    private let wanted: [String]
    /// The newest received entry by channel, from which the next connection continues.
    private(set) var positions: [String: UInt64]
    /// The history to which the positions belong; nil before the first reply to `connect`.
    private var epoch: String?
    private(set) var bye: Bye?
    private(set) var entries = 0
    private var nextID: UInt64 = 2
    /// The channels of this connection that are not live yet; nil before the reply to `connect`.
    private var catchingUp: Set<String>?

    private static let connectID: UInt64 = 1

    /// The hub's advice for the reconnection, from its `bye`.
    struct Bye: Equatable {
        var afterMilliseconds: Int64
        var spreadMilliseconds: Int64
    }

    /// The result of one line.
    struct Reaction: Equatable {
        /// The commands to send, one line each.
        var commands: [String] = []
        /// The reason when the hub refused the token or a channel for good.
        var refusal: String?
        /// The reason when the hub refused `connect` temporarily.
        var setback: String?
        /// True once per connection, when the last channel has become live.
        var isLive = false
    }

    init(token: String, channels: [String], since: UInt64?, acknowledges: Bool = false) {
        self.acknowledges = acknowledges
        self.token = token
        wanted = channels
        positions = since.map { since in Dictionary(channels.map { ($0, since) }, uniquingKeysWith: { first, _ in first }) } ?? [:]
    }

    /// Resets the state of the connection and returns its first line.
    mutating func connect() -> String {
        bye = nil
        catchingUp = nil
        nextID = Self.connectID + 1
        var command = JSONObject()
        command["id"] = .number(JSONNumber(Self.connectID))
        command["type"] = "connect"
        command["token"] = .string(token)
        command["epoch"] = epoch.map { .string($0) }
        if !wanted.isEmpty { command["channels"] = .array(wanted.map { subscription($0) }) }
        return JSONValue.object(command).text
    }

    /// Processes a line from the hub. A line that is not JSON has no effect, but the caller prints it.
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
        if let present = reply["epoch"]?.string {
            // Without named channels the positions were not part of `connect`.
            if let epoch, epoch != present { positions = [:] }
            epoch = present
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
        // The command has no id, because the reply to a successful ack is not needed.
        var command = JSONObject()
        command["type"] = "ack"
        command["channel"] = .string(channel)
        command["seq"] = .number(JSONNumber(position))
        return Reaction(commands: [JSONValue.object(command).text])
    }

    /// Follows a newly opened conversation from its first entry.
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

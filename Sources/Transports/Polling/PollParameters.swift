import JSON
import Messaging

/// What the body of a poll says: nothing, or a JSON object.
struct PollParameters {
    struct Failure: Error {
        let message: String
    }

    /// The `after` of the last answer that the client got.
    var after: String?
    /// Only for a poll that opens a session, as `connect` takes them.
    var token: String?
    var channels: [SubscriptionRequest] = []
    /// The positions that `after` names.
    var positions: [SubscriptionRequest] = []
    /// The state that the client knows, when `after` is of a poll without a session.
    var known: StateDigest?

    /// The channels of a poll without a session: `channels` when there are any, and then no others. One that gives no start goes on from
    /// its position in `after`.
    var followed: [SubscriptionRequest] {
        if channels.isEmpty { return positions }
        return channels.map { channel in
            channel.start == .head ? positions.first { $0.channel == channel.channel } ?? channel : channel
        }
    }

    static func read(_ body: [UInt8]) -> Result<PollParameters, Failure> {
        var parameters = PollParameters()
        if body.isEmpty { return .success(parameters) }
        guard case .object(let object)? = try? JSONValue.parse(body) else {
            return .failure(Failure(message: "the body: expected nothing or one JSON object"))
        }
        for (name, keep) in [("after", \PollParameters.after), ("token", \PollParameters.token)] {
            guard let value = object[name], value != .null else { continue }
            guard let text = value.string else { return .failure(Failure(message: "\(name): expected a string")) }
            parameters[keyPath: keep] = text
        }
        if let after = parameters.after {
            guard let positions = PositionText.subscriptions(after) else {
                return .failure(Failure(message: "after: expected the `after` of an earlier answer"))
            }
            parameters.positions = positions
            parameters.known = StateDigest(after: after)
        }
        if let list = object["channels"], list != .null {
            let epoch = object["epoch"]?.string.map { Epoch(orUnknown: $0) }
            guard let channels = list.array else {
                return .failure(Failure(message: #"channels: expected an array of {"channel", "since"}"#))
            }
            for element in channels {
                guard let name = element["channel"]?.string else {
                    return .failure(Failure(message: #"channels: expected an array of {"channel", "since"}"#))
                }
                var starts: [SubscriptionStart] = []
                for member in ["since", "tail"] {
                    guard let value = element[member], value != .null else { continue }
                    guard let number = value.uint64 else { return .failure(Failure(message: "channels: \(member): expected an integer")) }
                    starts.append(member == "since" ? .since(Seq(number)) : .tail(number))
                }
                guard starts.count < 2 else { return .failure(Failure(message: "channels: expected at most one of since and tail")) }
                parameters.channels.append(
                    SubscriptionRequest(
                        channel: name, start: starts.first ?? .head,
                        epoch: element["epoch"]?.string.map { Epoch(orUnknown: $0) } ?? epoch))
            }
        }
        return .success(parameters)
    }
}

// The replies and parts of replies that several commands share; every other reply is in its command's file.

internal import JSON

/// A channel's state as one session receives it in a reply.
public struct ListedChannel: Equatable, Sendable {
    public var state: ChannelState
    public var isSubscribed: Bool
    /// The position from which the subscription starts; nil omits the member.
    public var since: Seq?
    /// The history to which the numbers belong; nil omits the member.
    public var epoch: Epoch?

    public init(_ state: ChannelState, isSubscribed: Bool, since: Seq? = nil, epoch: Epoch? = nil) {
        self.epoch = epoch
        self.state = state
        self.isSubscribed = isSubscribed
        self.since = since
    }
}

extension ServerMessage {
    /// Answers `subscribe` (with `since`) and `open`.
    public static func channelState(re id: UInt64, _ listed: ListedChannel, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":"#)
        output.append(listed)
        output.append(UInt8(ascii: "}"))
    }

    /// Answers `mark-seen`, `mark-read` and `mark-unread`.
    public static func marked(re id: UInt64, _ state: ChannelState, into output: inout [UInt8]) {
        output.begin(replyTo: id, about: state.channel)
        output.append(cursor: state.cursor)
        output.append(counters: state.counters)
        output.append(member: "version", integer: state.version)
        output.appendText("}}")
    }

    /// Answers a command with an empty `ok`.
    public static func done(re id: UInt64, into output: inout [UInt8]) {
        output.appendText(#"{"re":"#)
        output.appendInteger(id)
        output.appendText(#","ok":{}}"#)
    }

    /// Answers a refused command. The reply contains `"re":null` when the parser could not read the id.
    /// - Parameter retryAfterMs: set only for temporary errors.
    public static func error(
        re id: UInt64?, _ code: ErrorCode, _ message: String, retryAfterMs: UInt64? = nil, into output: inout [UInt8]
    ) {
        output.appendText(#"{"re":"#)
        if let id { output.appendInteger(id) } else { output.appendText("null") }
        output.appendText(#","error":{"code":""#)
        output.appendText(code.rawValue)
        output.appendText(#"","message":"#)
        output.appendJSONString(message)
        output.append(member: "temporary", bool: code.isTemporary)
        if let retryAfterMs, code.isTemporary { output.append(member: "retryAfterMs", integer: retryAfterMs) }
        output.appendText("}}")
    }

    public static func error(_ rejection: CommandRejection, into output: inout [UInt8]) {
        error(re: rejection.id, rejection.code, rejection.message, into: &output)
    }
}

extension Timestamp {
    /// Never negative.
    func milliseconds(since earlier: Timestamp) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? (self > earlier ? .max : 0) : max(difference, 0)
    }
}

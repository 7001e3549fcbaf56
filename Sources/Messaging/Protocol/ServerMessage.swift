internal import JSON

/// Encoders of the hub's messages. Each appends one JSON object without a line end to the caller's buffer.
/// `\n` separates the messages of one frame.
///
/// A push has a `type` and no `re`; a reply (see `ServerReplies.swift`) has `re` and no `type`.
public enum ServerMessage {
    /// An entry of a channel. All sessions that follow the channel share its bytes. `replay` marks an entry read from the store.
    public static func entry(_ entry: Entry, replay: Bool = false, into output: inout [UInt8]) {
        let draft = entry.draft
        output.appendText(#"{"type":"entry","channel":"#)
        output.append(channel: draft.channel)
        output.appendText(#","seq":"#)
        output.appendInteger(entry.seq.rawValue)
        output.appendText(#","id":"#)
        output.appendJSONString(draft.id)
        output.appendText(#","kind":""#)
        output.appendText(draft.kind.rawValue)
        output.appendText(#"","event":"#)
        output.appendJSONString(draft.eventType)
        output.appendText(#","priority":""#)
        output.appendText(draft.priority.rawValue)
        output.appendText(#"","form":""#)
        output.appendText(draft.form.rawValue)
        output.append(UInt8(ascii: "\""))
        output.append(member: "sender", string: draft.sender?.name)
        if !draft.content.isEmpty {
            output.append(UInt8(ascii: ","))
            output.appendText(draft.content)
        }
        output.append(member: "group", string: draft.group)
        output.append(member: "collapse", string: draft.collapse)
        output.append(member: "createdAt", time: entry.createdAt)
        if let expiresAt = draft.expiresAt { output.append(member: "expiresAt", time: expiresAt) }
        if draft.receiptRequired { output.appendText(#","receipt":"required""#) }
        output.append(member: "trace", string: draft.trace)
        if replay { output.appendText(#","replay":true"#) }
        output.append(UInt8(ascii: "}"))
    }

    /// The same for one reader: a placeholder when the entry is hidden from them.
    public static func entry(_ entry: Entry, for reader: UserID?, replay: Bool = false, into output: inout [UInt8]) {
        if entry.isHidden(from: reader) {
            hidden(entry, replay: replay, into: &output)
        } else {
            self.entry(entry, replay: replay, into: &output)
        }
    }

    /// Keeps the number of an entry whose sender the reader has blocked, and nothing else of it. It has every member that an entry always
    /// has, so that clients which do not know the kind can read it.
    public static func hidden(_ entry: Entry, replay: Bool = false, into output: inout [UInt8]) {
        output.appendText(#"{"type":"entry","channel":"#)
        output.append(channel: entry.channel)
        output.append(member: "seq", integer: entry.seq.rawValue)
        output.appendText(#","id":"hidden-"#)
        output.appendInteger(entry.seq.rawValue)
        output.appendText(#"","kind":"hidden","event":"hidden","priority":"normal","form":"full""#)
        output.append(member: "createdAt", time: entry.createdAt)
        if replay { output.appendText(#","replay":true"#) }
        output.append(UInt8(ascii: "}"))
    }

    /// Tells the user's other sessions that a cursor has moved.
    public static func cursor(_ state: ChannelState, into output: inout [UInt8]) {
        output.appendText(#"{"type":"cursor","channel":"#)
        output.append(channel: state.channel)
        output.append(cursor: state.cursor)
        output.append(member: "version", integer: state.version)
        output.append(UInt8(ascii: "}"))
    }

    /// Tells that a conversation which the session does not follow has changed.
    public static func activity(_ state: ChannelState, into output: inout [UInt8]) {
        output.appendText(#"{"type":"activity","channel":"#)
        output.append(channel: state.channel)
        output.append(member: "head", integer: state.head.rawValue)
        output.append(counters: state.counters)
        output.append(member: "version", integer: state.version)
        output.append(UInt8(ascii: "}"))
    }

    /// Tells the other members of a conversation the progress of `user`.
    public static func receipt(_ channel: Channel, of user: UserID, delivered: Seq, read: Seq, into output: inout [UInt8]) {
        output.appendText(#"{"type":"receipt","channel":"#)
        output.append(channel: channel)
        output.append(member: "user", string: user.name)
        output.append(member: "delivered", integer: delivered.rawValue)
        output.append(member: "read", integer: read.rawValue)
        output.append(UInt8(ascii: "}"))
    }

    /// One channel's counts within `counters`.
    public struct ChannelCounters: Equatable, Sendable {
        public var channel: Channel
        public var counters: Counters
        public var version: UInt64

        public init(channel: Channel, counters: Counters, version: UInt64) {
            self.channel = channel
            self.counters = counters
            self.version = version
        }
    }

    /// The counts of the channels that changed and the totals over all channels of the session, as absolute numbers. Without channels
    /// only the set of followed channels has changed.
    /// - Parameter version: numbers these pushes of the session.
    public static func counters(version: UInt64, _ channels: [ChannelCounters], totals: Counters, into output: inout [UInt8]) {
        output.appendText(#"{"type":"counters","version":"#)
        output.appendInteger(version)
        output.appendText(#","channels":["#)
        output.append(list: channels) { line, output in
            output.appendText(#"{"channel":"#)
            output.append(channel: line.channel)
            output.append(counters: line.counters)
            output.append(member: "version", integer: line.version)
            output.append(UInt8(ascii: "}"))
        }
        output.append(UInt8(ascii: "]"))
        output.append(totals: totals)
        output.append(UInt8(ascii: "}"))
    }

    /// An ephemeral message, which may be lost.
    public enum Signal: Equatable, Sendable {
        /// The hub has sent every stored entry up to `seq`. Later entries follow as they are committed.
        case live(Channel, Seq)
        case typing(Channel, by: UserID)
        /// Another user opened a conversation with this user.
        case conversation(Channel, with: UserID)
        /// A member of a followed conversation comes, is away or goes.
        case presence(UserID, ShownPresence)
        /// The user has lost the right to follow the channel.
        case unsubscribed(Channel)
    }

    public static func signal(_ signal: Signal, into output: inout [UInt8]) {
        output.appendText(#"{"type":"signal","signal":""#)
        switch signal {
        case .live(let channel, let seq):
            output.appendText(#"live","channel":"#)
            output.append(channel: channel)
            output.append(member: "seq", integer: seq.rawValue)
        case .typing(let channel, let user):
            output.appendText(#"typing","channel":"#)
            output.append(channel: channel)
            output.append(member: "user", string: user.name)
        case .presence(let user, let shown):
            output.appendText(#"presence","user":"#)
            output.appendJSONString(user.name)
            output.append(shown)
        case .unsubscribed(let channel):
            output.appendText(#"unsubscribed","channel":"#)
            output.append(channel: channel)
        case .conversation(let channel, let user):
            output.appendText(#"conversation","channel":"#)
            output.append(channel: channel)
            output.append(member: "user", string: user.name)
        }
        output.append(UInt8(ascii: "}"))
    }

    /// The last message before a close. The client waits `afterMs` plus a random part of `spreadMs` before it reconnects.
    public static func bye(_ reason: EndReason, afterMs: UInt64 = 0, spreadMs: UInt64 = 0, into output: inout [UInt8]) {
        output.appendText(#"{"type":"bye","code":"#)
        output.appendInteger(reason.code)
        output.append(member: "reason", string: reason.reason)
        output.append(member: "reconnect", bool: reason.advice.reconnects)
        output.append(member: "afterMs", integer: afterMs)
        output.append(member: "spreadMs", integer: spreadMs)
        output.append(UInt8(ascii: "}"))
    }
}

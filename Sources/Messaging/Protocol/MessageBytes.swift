internal import JSON

// The parts that server messages share. Member names are constants of the hub, so they need no escape.
extension [UInt8] {
    /// Appends the channel's name on the wire as a JSON string, without allocating a `String`.
    mutating func append(channel: Channel) {
        switch channel {
        case .inbox:
            appendText(#""inbox""#)
        case .broadcast(let name):
            appendText(#""broadcast:"#)
            appendEscaped(name)
            append(UInt8(ascii: "\""))
        case .conversation(let id):
            appendText(#""conversation:"#)
            appendText(id.text)
            append(UInt8(ascii: "\""))
        }
    }

    mutating func begin(replyTo id: UInt64, about channel: Channel) {
        appendText(#"{"re":"#)
        appendInteger(id)
        appendText(#","ok":{"channel":"#)
        append(channel: channel)
    }

    /// Appends single bytes, because appending a text costs ten times as much as appending a byte.
    private mutating func begin(member name: String) {
        append(UInt8(ascii: ","))
        append(UInt8(ascii: "\""))
        appendText(name)
        append(UInt8(ascii: "\""))
        append(UInt8(ascii: ":"))
    }

    /// Appends the member; omits it when the value is nil.
    mutating func append(member name: String, string: String?) {
        guard let string else { return }
        begin(member: name)
        appendJSONString(string)
    }

    mutating func append(member name: String, integer: some FixedWidthInteger) {
        begin(member: name)
        appendInteger(integer)
    }

    mutating func append(member name: String, bool: Bool) {
        begin(member: name)
        appendText(bool ? "true" : "false")
    }

    mutating func append(member name: String, time: Timestamp) {
        begin(member: name)
        append(UInt8(ascii: "\""))
        time.writeRFC3339(into: &self)
        append(UInt8(ascii: "\""))
    }

    mutating func append<Item>(list: [Item], _ write: (Item, inout [UInt8]) -> Void) {
        var isFirst = true
        for element in list {
            if !isFirst { append(UInt8(ascii: ",")) }
            isFirst = false
            write(element, &self)
        }
    }

    /// Appends a member from its prepared name: one piece `,"name":` is cheaper than three.
    private mutating func append(_ name: String, _ integer: some FixedWidthInteger) {
        appendText(name)
        appendInteger(integer)
    }

    mutating func append(cursor: Cursor) {
        append(#","delivered":"#, cursor.delivered.rawValue)
        append(#","seen":"#, cursor.seen.rawValue)
        append(#","read":"#, cursor.read.rawValue)
        if cursor.readAlso.isEmpty { return appendText(#","readAlso":[]"#) }
        appendText(#","readAlso":["#)
        append(list: cursor.readAlso) { range, output in
            output.append(UInt8(ascii: "["))
            output.appendInteger(range.lowerBound)
            output.append(UInt8(ascii: ","))
            output.appendInteger(range.upperBound)
            output.append(UInt8(ascii: "]"))
        }
        append(UInt8(ascii: "]"))
    }

    mutating func append(counters: Counters) {
        append(#","unread":"#, counters.unread)
        append(#","unseen":"#, counters.unseen)
        append(#","urgent":"#, counters.urgent)
    }

    mutating func append(totals: Counters) {
        append(#","totals":{"unread":"#, totals.unread)
        append(#","unseen":"#, totals.unseen)
        append(#","urgent":"#, totals.urgent)
        append(UInt8(ascii: "}"))
    }

    /// Appends `ChannelState` of the protocol.
    mutating func append(_ listed: ListedChannel) {
        let state = listed.state
        appendText(#"{"channel":"#)
        append(channel: state.channel)
        switch state.channel {
        case .inbox: appendText(#","kind":"inbox""#)
        case .broadcast: appendText(#","kind":"broadcast""#)
        case .conversation: appendText(#","kind":"conversation""#)
        }
        append(#","head":"#, state.head.rawValue)
        if state.first > Seq(1) { append(#","first":"#, state.first.rawValue) }
        append(cursor: state.cursor)
        append(counters: state.counters)
        append(#","version":"#, state.version)
        if state.channel.kind == .conversation {
            appendText(#","members":["#)
            append(list: state.members) { user, output in output.appendJSONString(user.name) }
            append(UInt8(ascii: "]"))
        }
        appendText(listed.isSubscribed ? #","subscribed":true"# : #","subscribed":false"#)
        if let since = listed.since { append(#","since":"#, since.rawValue) }
        if let epoch = listed.epoch { append(member: "epoch", string: epoch.text) }
        append(UInt8(ascii: "}"))
    }
}

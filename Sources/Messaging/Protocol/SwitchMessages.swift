internal import JSON

// What clients are told of switches.

extension ServerMessage {
    /// The features that are not on for the session's user. The list replaces the one before; it is empty when all are on.
    public static func control(_ switched: [Switch], into output: inout [UInt8]) {
        output.appendText(#"{"type":"control""#)
        output.append(switched: switched)
        output.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    mutating func append(switched: [Switch]) {
        appendText(#","switched":["#)
        append(list: switched) { one, output in
            output.appendText(#"{"feature":""#)
            output.appendText(one.feature.rawValue)
            output.append(UInt8(ascii: "\""))
            output.append(member: "mode", string: one.mode.name)
            if let seconds = one.mode.seconds { output.append(member: "everyMs", integer: seconds * 1_000) }
            if case .context(let name) = one.scope { output.append(member: "context", string: name) }
            if let until = one.until { output.append(member: "until", time: until) }
            output.appendText(#","text":{"fr":"#)
            output.appendJSONString(one.text.french)
            output.append(member: "en", string: one.text.english)
            output.appendText("}}")
        }
        append(UInt8(ascii: "]"))
    }
}

extension Switch {
    /// A sentence for the user. It does not say why: the reason is the operators'.
    var text: (french: String, english: String) {
        switch (feature, mode) {
        case (.realtime, _):
            ("La messagerie en temps réel est suspendue.", "Real-time messages are suspended.")
        case (.signals, _):
            ("Les indications de saisie sont suspendues.", "Typing indications are suspended.")
        case (.presence, _):
            ("L’indication de présence est suspendue.", "Presence is suspended.")
        case (.directMessages, .off):
            ("L’envoi de messages privés est suspendu.", "Sending private messages is suspended.")
        case (.groupMessages, .off):
            ("L’envoi de messages de groupe est suspendu.", "Sending group messages is suspended.")
        case (.directMessages, .slow):
            ("Les messages privés arrivent avec un délai.", "Private messages arrive with a delay.")
        case (.groupMessages, .slow):
            ("Les messages de groupe arrivent avec un délai.", "Group messages arrive with a delay.")
        case (.directMessages, _):
            ("Les messages privés sont conservés et arriveront plus tard.", "Private messages are kept and will arrive later.")
        case (.groupMessages, _):
            ("Les messages de groupe sont conservés et arriveront plus tard.", "Group messages are kept and will arrive later.")
        case (.systemNotifications, .slow):
            ("Les annonces arrivent avec un délai.", "Announcements arrive with a delay.")
        case (.systemNotifications, _):
            ("Les annonces sont conservées et arriveront plus tard.", "Announcements are kept and will arrive later.")
        case (.userNotifications, .slow):
            ("Les notifications arrivent avec un délai.", "Notifications arrive with a delay.")
        case (.userNotifications, _):
            ("Les notifications sont conservées et arriveront plus tard.", "Notifications are kept and will arrive later.")
        }
    }
}

extension Refusal {
    /// The feature is off for the user. The same command may succeed when it is on again.
    public init(_ off: Switch, now: Timestamp) {
        let left = off.until.map { Duration.milliseconds($0.milliseconds(since: now)) }
        let reason = "\(off.feature.rawValue) is switched off" + (off.until.map { " until \($0.rfc3339)" } ?? "")
        self.init(.featureOff, reason, retryAfter: min(left ?? Self.usualPause, Self.longestPause))
    }

    /// Nobody knows when the feature is on again; a `control` push tells it.
    private static let usualPause: Duration = .seconds(60)
    private static let longestPause: Duration = .seconds(600)
}

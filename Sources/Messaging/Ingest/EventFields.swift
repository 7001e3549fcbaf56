internal import JSON

/// The rules for the members of an event. A null member counts as missing, and unknown members are ignored.
struct EventFields {
    let event: Event
    /// The record with the event.
    let record: RecordOrigin?
    let limits: EventLimits

    /// - Returns: a draft for each valid target, and the rejections of the other targets.
    func drafts() throws(EventRejection) -> ([EntryDraft], EventRejection?) {
        let (channels, rejection) = try targets()
        let priority = try choice(.priority, of: EntryDraft.Priority.self, else: .badPriority) ?? .normal
        let form = try choice(.form, of: EntryDraft.Form.self, else: .badForm) ?? .full
        let content = try content()
        let group = try name(.group, else: .badGroup)
        let collapse = try name(.collapse, else: .badCollapse)
        let expiresAt = try expiry()
        let receiptRequired = try receipt()
        let draft = EntryDraft(
            channel: channels[0], source: event.source, id: event.id, kind: event.type.begins(with: "system.") ? .system : .notification,
            eventType: event.type, priority: priority, form: form, content: content, group: group, collapse: collapse,
            expiresAt: expiresAt, receiptRequired: receiptRequired, trace: event.trace,
            cause: event.cause, record: record)
        let drafts = channels.map { draft.copy(for: $0) }
        return (drafts, rejection)
    }

    /// Whether the event takes entries back instead of making some.
    var retracts: Bool { self[.retract] != nil }

    /// - Returns: a retraction for each valid target, and the rejections of the other targets.
    func retractions(after drafts: Int) throws(EventRejection) -> ([Retraction], EventRejection?) {
        let (channels, rejection) = try targets()
        for member in EventMember.content where self[member] != nil {
            throw EventRejection(.badRetract, "\(member.name): an event with retract makes no entry")
        }
        guard let value = self[.retract], value.kind == .object else { throw EventRejection(.badRetract, "retract: expected an object") }
        let named = EventMembers(of: value, in: document)
        let origin = "event/\(event.source)/\(event.id)"
        if let group = try retracted(.group, of: named, maximumBytes: EventLimits.nameBytes) {
            guard !named.has(.id), !named.has(.source) else {
                throw EventRejection(.badRetract, "retract: expected an id or a group, not both")
            }
            // Read again, it would take back what the group got since, so it is carried out once.
            let once = ChangePosition(commit: 0, lsn: 0, time: Timestamp(milliseconds: 0))
            return (channels.map { Retraction(.group(group, $0), origin: origin, change: once, after: drafts) }, rejection)
        }
        guard let id = try retracted(.id, of: named, maximumBytes: EventLimits.nameBytes) else {
            throw EventRejection(.badRetract, "retract: expected an id or a group")
        }
        let source = try retracted(.source, of: named, maximumBytes: EventLimits.sourceBytes) ?? event.namesFrom
        return (channels.map { Retraction(.event(source: source, id: id, $0), origin: origin, change: nil, after: drafts) }, rejection)
    }

    private func retracted(_ member: EventMember, of named: EventMembers, maximumBytes: Int) throws(EventRejection) -> String? {
        guard named[member] != nil else { return nil }
        guard let text = named.string(member), Identifier.isAcceptable(text, maximumBytes: maximumBytes) else {
            throw EventRejection(
                .badRetract, "retract.\(member.name): expected a string of 1…\(maximumBytes) bytes without control characters")
        }
        return text
    }

    private var document: JSONDocument { event.members.document }
    private subscript(_ member: EventMember) -> JSONDocument.Value? { event.members[member] }

    // MARK: Targets

    /// The target channels, at least one, without duplicates and in the order of their first occurrence.
    private func targets() throws(EventRejection) -> ([Channel], EventRejection?) {
        guard let to = self[.to] else { throw EventRejection(.noTargets, "to: missing") }
        let names = document.elements(of: to) ?? [to]
        guard !names.isEmpty else { throw EventRejection(.noTargets, "to: empty") }
        guard names.count <= limits.targets else {
            throw EventRejection(.tooManyTargets, "to: \(names.count) targets; expected at most \(limits.targets)")
        }
        var channels: [Channel] = []
        // Compares bytes, as the store does: Swift's == treats the two encodings of `é` as equal.
        var seen: Set<[UInt8]> = []
        var strangers: [Int] = []
        for (index, name) in names.enumerated() {
            guard let text = document.string(name), let channel = Self.channel(target: text) else {
                strangers.append(index)
                continue
            }
            if names.count == 1 || seen.insert(Array(channel.storedName.utf8)).inserted { channels.append(channel) }
        }
        guard let first = strangers.first else { return (channels, nil) }
        let others = strangers.count > 1 ? ", and \(strangers.count - 1) more" : ""
        let rejection = EventRejection(
            .badTarget, "to: target \(first) is not user:<id>, broadcast:<name> or conversation:<uuid>\(others)",
            targets: channels.isEmpty ? [] : strangers.map { document.string(names[$0]) ?? document.text(names[$0]) })
        guard !channels.isEmpty else { throw rejection }
        return (channels, rejection)
    }

    private static func channel(target: String) -> Channel? {
        let prefix = "user:"
        if target.begins(with: prefix) {
            return UserID(String(Substring(target.utf8.dropFirst(prefix.utf8.count)))).map(Channel.inbox)
        }
        guard let channel = Channel(storedName: target), channel.kind != .inbox else { return nil }
        return channel
    }

    // MARK: Content

    private func content() throws(EventRejection) -> String {
        // The content is never longer than the event that contains it.
        var content = MemberText(expecting: document.byteCount(of: event.members.owner))
        if let title = try localized(.title, else: .badTitle) { content.add("title", title, of: document) }
        if let body = try localized(.body, else: .badBody) { content.add("body", body, of: document) }
        if let context = self[.context] {
            guard context.kind == .string || context.kind == .object else {
                throw EventRejection(.badContext, "context: expected a string or an object")
            }
            content.add("context", context, of: document)
        }
        if let link = try link() { content.add("link", string: link) }
        if let data = self[.data] { content.add("data", data, of: document) }
        guard content.bytes.count <= limits.contentBytes else {
            throw EventRejection(
                .tooLarge, "title, body, context, link and data: \(content.bytes.count) bytes; expected at most \(limits.contentBytes)")
        }
        return content.text
    }

    /// A string, or an object of strings by language tag.
    private func localized(_ member: EventMember, else reason: EventRejectionReason) throws(EventRejection) -> JSONDocument.Value? {
        guard let value = self[member] else { return nil }
        if value.kind == .string { return value }
        guard let texts = document.members(of: value), (1...EventLimits.languages).contains(texts.count),
            texts.allSatisfy({ Self.isLanguageTag($0.name) && $0.value.kind == .string })
        else { throw EventRejection(reason, "\(member.name): expected a string, or an object of strings by language") }
        return value
    }

    /// The form of an RFC 5646 tag: a language of two to eight letters, then subtags of one to eight letters and digits.
    private static func isLanguageTag(_ text: String) -> Bool {
        let subtags = text.split(separator: "-", omittingEmptySubsequences: false)
        guard subtags.count <= 8, let language = subtags.first, (2...8).contains(language.utf8.count) else { return false }
        return language.utf8.allSatisfy(\.isLetter)
            && subtags.allSatisfy { (1...8).contains($0.utf8.count) && $0.utf8.allSatisfy { $0.isLetter || $0.isDigit } }
    }

    /// Reads the link that a page opens on a click. Only paths and web addresses are safe there; a `javascript:` link would run code.
    private func link() throws(EventRejection) -> String? {
        guard let value = self[.link] else { return nil }
        guard let link = document.string(value), Identifier.isAcceptable(link, maximumBytes: EventLimits.linkBytes),
            !link.unicodeScalars.contains(where: { $0 == " " || $0 == "\\" || ($0.value > 0x7F && $0.properties.isWhitespace) }),
            Self.isAddress(link)
        else {
            throw EventRejection(
                .badLink,
                "link: expected a path that begins with one /, or an http or https address, of at most \(EventLimits.linkBytes) bytes")
        }
        return link
    }

    private static func isAddress(_ link: String) -> Bool {
        if link.begins(with: "/") { return !link.begins(with: "//") }
        let lowercased = link.lowercased()
        return ["https://", "http://"].contains { lowercased.begins(with: $0) && lowercased.utf8.count > $0.utf8.count }
    }

    // MARK: Single members

    private func choice<Choice: RawRepresentable & CaseIterable>(
        _ member: EventMember, of: Choice.Type, else reason: EventRejectionReason
    ) throws(EventRejection) -> Choice? where Choice.RawValue == String {
        guard let value = self[member] else { return nil }
        guard let choice = document.string(value).flatMap(Choice.init(rawValue:)) else {
            throw EventRejection(reason, "\(member.name): expected one of \(Choice.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return choice
    }

    private func name(_ member: EventMember, else reason: EventRejectionReason) throws(EventRejection) -> String? {
        guard let value = self[member] else { return nil }
        guard let text = document.string(value), Identifier.isAcceptable(text, maximumBytes: EventLimits.nameBytes) else {
            throw EventRejection(reason, "\(member.name): expected a string of 1…\(EventLimits.nameBytes) bytes without control characters")
        }
        return text
    }

    private func expiry() throws(EventRejection) -> Timestamp? {
        guard let value = self[.expiresAt] else { return nil }
        if let text = document.string(value), let time = Timestamp(rfc3339: text) { return time }
        if let milliseconds = document.int64(value), (0...Timestamp.latest.milliseconds).contains(milliseconds) {
            return Timestamp(milliseconds: milliseconds)
        }
        throw EventRejection(.badExpiresAt, "expiresAt: expected an RFC 3339 time, or milliseconds since 1970")
    }

    private func receipt() throws(EventRejection) -> Bool {
        guard let value = self[.receipt] else { return false }
        if let required = document.bool(value) { return required }
        guard document.string(value) == "required" else {
            throw EventRejection(.badReceipt, "receipt: expected \"required\", true or false")
        }
        return true
    }
}

extension UInt8 {
    fileprivate var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
    fileprivate var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
}

internal import JSON

/// The known members of an event and of its envelope. The decoder ignores other names. The raw value is the member's index in
/// `EventMembers`.
enum EventMember: Int, CaseIterable {
    case id, type, to, title, body, link, data, context, priority, group, collapse, form, expiresAt, receipt, retract
    case specversion, source, traceparent, dataBase64, hubrow
    case op, before, after, schema, payload

    var name: String { Self.names[rawValue] }

    private static let names = allCases.map { $0 == .dataBase64 ? "data_base64" : String(describing: $0) }
    private static let words = names.map(JSONSlice.word)

    /// Those of an event that makes an entry.
    static let content: [EventMember] = [
        .title, .body, .link, .data, .context, .priority, .group, .collapse, .form, .expiresAt, .receipt,
    ]

    fileprivate static func index(of name: UInt128) -> Int? { words.firstIndex(of: name) }
}

/// The known members of one object of a document, collected in one pass.
struct EventMembers {
    let document: JSONDocument
    /// The value whose members these are. When it is not an object, there are no members.
    let owner: JSONDocument.Value
    private var values: InlineArray<25, JSONDocument.Value?> = InlineArray(repeating: nil)

    init(of owner: JSONDocument.Value, in document: JSONDocument) {
        self.document = document
        self.owner = owner
        var values = values
        document.visitMembers(of: owner) { name, value in
            if let index = EventMember.index(of: name) { values[index] = value }
        }
        self.values = values
    }

    /// Nil when the member is missing or null.
    subscript(_ member: EventMember) -> JSONDocument.Value? {
        guard let value = values[member.rawValue], value.kind != .null else { return nil }
        return value
    }

    /// Whether the member is present, even if it is null.
    func has(_ member: EventMember) -> Bool { values[member.rawValue] != nil }

    /// Nil when the member is missing or not a string.
    func string(_ member: EventMember) -> String? { self[member].flatMap { document.string($0) } }
}

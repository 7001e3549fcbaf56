internal import JSON

/// Every member that means something in an event or around it, named as in its JSON; others are ignored. The raw value is its place
/// in `EventMembers`.
enum EventMember: Int, CaseIterable {
    case id, type, to, title, body, link, data, context, priority, group, collapse, form, expiresAt, receipt
    case specversion, source, traceparent, dataBase64
    case op, before, after, schema, payload

    var name: String { Self.names[rawValue] }

    private static let names = allCases.map { $0 == .dataBase64 ? "data_base64" : String(describing: $0) }
    private static let words = names.map(JSONSlice.word)

    fileprivate static func index(of name: UInt128) -> Int? { words.firstIndex(of: name) }
}

/// The known members of one object of a document, found in one pass.
struct EventMembers {
    let document: JSONDocument
    /// What they are members of. That is no object, when it has none.
    let owner: JSONDocument.Value
    private var values: InlineArray<23, JSONDocument.Value?> = InlineArray(repeating: nil)

    init(of owner: JSONDocument.Value, in document: JSONDocument) {
        self.document = document
        self.owner = owner
        var values = values
        document.visitMembers(of: owner) { name, value in
            if let index = EventMember.index(of: name) { values[index] = value }
        }
        self.values = values
    }

    /// A member that is null is a member that is missing.
    subscript(_ member: EventMember) -> JSONDocument.Value? {
        guard let value = values[member.rawValue], value.kind != .null else { return nil }
        return value
    }

    /// Whether it is there, though it may be null.
    func has(_ member: EventMember) -> Bool { values[member.rawValue] != nil }

    /// Nil when it is missing or no string.
    func string(_ member: EventMember) -> String? { self[member].flatMap { document.string($0) } }
}

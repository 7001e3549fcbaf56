import Bytes

/// The members of an object in source order, without duplicate names. Names are compared byte by byte (RFC 8259 §8.3), because
/// Swift's `==` treats the two encodings of `é` as equal.
public struct JSONObject: Equatable, Sendable {
    public struct Member: Equatable, Sendable {
        public let name: String
        public var value: JSONValue
    }

    public fileprivate(set) var members: [Member]

    public init() { members = [] }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    /// Reads, replaces, appends or (with nil) removes a member. The search is linear.
    public subscript(_ name: String) -> JSONValue? {
        get { index(of: name).map { members[$0].value } }
        set {
            let index = index(of: name)
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// The loop uses indices, because iterating over the elements would copy each member with its whole value.
    fileprivate func index(of name: String) -> Int? {
        let length = name.utf8.count
        for index in members.indices where members[index].name.utf8.count == length {
            if members[index].name.isSameText(as: name) { return index }
        }
        return nil
    }
}

/// Appends members and refuses duplicate names in linear time overall.
struct JSONObjectBuilder {
    private(set) var object = JSONObject()
    /// The names so far, used only when the object is too large for a linear search. The set's hash is seeded per process.
    private var names: Set<ExactText> = []
    private static let searchable = 16

    /// False when the object already contains `name`.
    mutating func append(_ name: String, _ value: JSONValue) -> Bool {
        if object.count < Self.searchable {
            if object.index(of: name) != nil { return false }
        } else {
            if names.isEmpty { names = Set(object.members.map { ExactText(text: $0.name) }) }
            guard names.insert(ExactText(text: name)).inserted else { return false }
        }
        object.members.append(JSONObject.Member(name: name, value: value))
        return true
    }
}

/// A text that is compared and hashed byte by byte.
struct ExactText: Hashable {
    let text: String

    static func == (a: ExactText, b: ExactText) -> Bool { a.text.isSameText(as: b.text) }

    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var bits = 0
        for byte in text.utf8 {
            word = word << 8 | UInt64(byte)
            bits += 8
            if bits == 64 {
                hasher.combine(word)
                (word, bits) = (0, 0)
            }
        }
        hasher.combine(word)
        hasher.combine(text.utf8.count)
    }
}

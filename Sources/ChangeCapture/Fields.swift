internal import JSON

/// The members of one object of a record, with the path for rejections.
struct Fields {
    let document: JSONDocument
    let path: String
    let members: [(name: String, value: JSONDocument.Value)]

    /// Nil unless the value is an object.
    init?(_ value: JSONDocument.Value, in document: JSONDocument, path: String) {
        guard let members = document.members(of: value) else { return nil }
        self.document = document
        self.path = path
        self.members = members
    }

    /// A member that is there and not null.
    subscript(_ name: String) -> JSONDocument.Value? {
        // By index, because an iteration would copy each member.
        for index in members.indices where members[index].name == name {
            let value = members[index].value
            return value.kind == .null ? nil : value
        }
        return nil
    }

    func has(_ name: String) -> Bool { members.contains { $0.name == name } }

    /// The text of a member; nil when it is missing or null.
    func text(_ name: String) throws(ChangeRejection) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = document.string(value) else { throw wrongKind(name, "a string", value) }
        return text
    }

    /// A whole number, also as text (Debezium's CloudEvents have all numbers as texts); nil when it is missing or null.
    func integer(_ name: String) throws(ChangeRejection) -> Int64? {
        guard let value = self[name] else { return nil }
        if let number = document.int64(value) { return number }
        guard value.kind == .number || value.kind == .string else { throw wrongKind(name, "a whole number", value) }
        guard let number = document.string(value).flatMap({ Int64($0) }) else {
            throw ChangeRejection(.badValue, at: at(name), expected: "a whole number of 64 bits", found: "another \(value.kind)")
        }
        return number
    }

    /// An LSN as a number or text.
    func lsn(_ name: String) throws(ChangeRejection) -> UInt64? {
        guard let number = try integer(name) else { return nil }
        guard number >= 0 else { throw ChangeRejection(.badValue, at: at(name), expected: "an LSN", found: "a negative number") }
        return UInt64(number)
    }

    /// The object of a member; nil when it is missing or null.
    func object(_ name: String) throws(ChangeRejection) -> Fields? {
        guard let value = self[name] else { return nil }
        guard let fields = Fields(value, in: document, path: at(name)) else { throw wrongKind(name, "an object", value) }
        return fields
    }

    /// A time in microseconds from the first of these members that is there: `_us`, `_ms`, `_ns` with the prefix.
    func instant(_ prefix: String = "ts_", _ units: [String] = ["us", "ms", "ns"]) throws(ChangeRejection) -> Int64? {
        for (suffix, unit) in zip(units, [TimeUnit.microseconds, .milliseconds, .nanoseconds]) {
            guard let value = try integer(prefix + suffix) else { continue }
            guard let instant = unit.microseconds(value) else {
                throw ChangeRejection(
                    .badValue, at: at(prefix + suffix), expected: "a time", found: "a number beyond 64 bits of microseconds")
            }
            return instant
        }
        return nil
    }

    func required<T>(_ value: T?, _ name: String) throws(ChangeRejection) -> T {
        guard let value else {
            throw ChangeRejection(.missingMember, at: at(name), expected: "a value", found: has(name) ? "null" : "no member")
        }
        return value
    }

    func at(_ name: String) -> String { path.isEmpty ? name : path + "." + name }

    func wrongKind(_ name: String, _ expected: String, _ value: JSONDocument.Value) -> ChangeRejection {
        ChangeRejection(.wrongKind, at: at(name), expected: expected, found: "\(value.kind)")
    }
}

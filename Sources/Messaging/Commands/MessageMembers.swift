internal import JSON

// The members of a message, which several commands have.

extension CommandMembers {
    func key(in bytes: Span<UInt8>) throws(CommandFault) -> String {
        let key = try text(.key, in: bytes)
        guard Identifier.isAcceptable(key, maximumBytes: CommandLimits.keyBytes) else {
            throw .badRequest(.key, "1…\(CommandLimits.keyBytes) bytes without control characters")
        }
        return key
    }

    /// The text of a message, which is not blank.
    func body(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> String {
        let body = try text(.body, in: bytes)
        guard body.utf8.count <= limits.bodyBytes else {
            throw CommandFault(.tooLarge, "body: \(body.utf8.count) bytes; expected at most \(limits.bodyBytes)")
        }
        guard !body.isBlank else { throw .badRequest(.body, "a text that is not blank") }
        return body
    }

    /// Compact JSON text of any kind but null.
    func data(in bytes: Span<UInt8>, _ limits: CommandLimits) throws(CommandFault) -> String? {
        guard let slice = self[.data] else { return nil }
        let value: JSONValue
        do {
            value = try JSONValue.parse(slice.range, of: bytes, limits: CommandMembers.limits)
        } catch {
            throw CommandFault(.badJSON, "data: \(error.reason.rawValue)")
        }
        let text = value.text
        guard text.utf8.count <= limits.dataBytes else {
            throw CommandFault(.tooLarge, "data: \(text.utf8.count) bytes; expected at most \(limits.dataBytes)")
        }
        return text
    }
}

extension CommandSchema {
    static let key: JSONValue = [
        "description": .string(bytes(CommandLimits.keyBytes) + " A repeat returns the first result."), "type": "string", "minLength": 1,
        "maxLength": number(CommandLimits.keyBytes),
    ]
    static let body: JSONValue = [
        "description": "Not blank, at most `limits.bodyBytes` bytes of UTF-8.", "type": "string", "pattern": #"\S"#,
    ]
}

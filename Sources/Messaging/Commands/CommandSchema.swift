internal import JSON

/// Describes a command's members to clients, in JSON Schema 2020-12 and in the table of commands. Each command's `init` checks them.
struct CommandSchema: Sendable {
    typealias Members = KeyValuePairs<CommandMember, JSONValue>

    /// The required members other than `type`.
    var required: Members = [:]
    var optional: Members = [:]
    /// A line contains exactly one of these members.
    var oneOf: Members = [:]
    /// A line must not contain all of these members.
    var notTogether: [CommandMember] = []

    /// The schema of one command.
    func definition(of name: String) -> JSONValue {
        var properties = JSONObject()
        properties["id"] = Self.shared("id")
        properties["type"] = ["const": .string(name)]
        for members in [required, oneOf, optional] {
            for (member, schema) in members { properties[member.name] = schema }
        }
        var definition = JSONObject()
        definition["type"] = "object"
        definition["required"] = .array([.string("type")] + required.map { .string($0.key.name) })
        definition["properties"] = .object(properties)
        if !oneOf.isEmpty { definition["oneOf"] = .array(oneOf.map { ["required": [.string($0.key.name)]] }) }
        if !notTogether.isEmpty { definition["not"] = ["required": .array(notTogether.map { .string($0.name) })] }
        return .object(definition)
    }

    /// The members as a cell of the table of commands.
    var row: String {
        func list(_ members: Members) -> String { members.map { "`\($0.key.name)`" }.joined(separator: ", ") }
        var parts: [String] = []
        if !required.isEmpty { parts.append(list(required)) }
        if !oneOf.isEmpty { parts.append("one of " + list(oneOf)) }
        if !optional.isEmpty { parts.append("optional " + list(optional)) }
        return parts.isEmpty ? "–" : parts.joined(separator: "; ")
    }
}

// MARK: Members of several commands

extension CommandSchema {
    static let channel = shared("channel")
    static let context: JSONValue = [
        "description": .string(bytes(CommandLimits.contextBytes)), "type": "string", "minLength": 1,
        "maxLength": number(CommandLimits.contextBytes),
    ]
    static let epoch = shared("epoch")
    static let pageSize: JSONValue = ["type": "integer", "minimum": 1]
    static let position = shared("position")
    static let seq = shared("seq")
    static let seqs = shared("seqs")
    static let subscription = shared("subscription")
    static let tail: JSONValue = [
        "description": "How many of the newest entries are sent first.", "type": "integer", "minimum": 0, "maximum": maximum,
    ]
    static let token = shared("token")
    static let ticket = shared("ticket")
    static let user = shared("user")

    /// JSON Schema counts characters, and the hub counts bytes.
    static func bytes(_ most: Int) -> String { "1 to \(most) bytes of UTF-8; `maxLength` counts characters and is only an upper bound." }

    static func number(_ number: Int) -> JSONValue { .number(JSONNumber(Int64(number))) }

    private static func shared(_ name: String) -> JSONValue { ["$ref": .string("#/$defs/\(name)")] }

    private static let maximum: JSONValue = .number(JSONNumber(CommandLimits.maximumNumber))

    /// Schemas that several commands share.
    fileprivate static let definitions: JSONObject = {
        var definitions = JSONObject()
        definitions["id"] = [
            "description": "Chosen by the client; the reply repeats it as `re`. Without it there is no reply.", "type": "integer",
            "minimum": 0, "maximum": maximum,
        ]
        definitions["seq"] = ["type": "integer", "minimum": 1, "maximum": maximum]
        definitions["position"] = [
            "description": "A seq, or 0 for \"before the first\".", "type": "integer", "minimum": 0, "maximum": maximum,
        ]
        definitions["epoch"] = [
            "description":
                "The `epoch` of the reply to connect in which the client got its positions. In another one they are not known.",
            "type": "string",
        ]
        definitions["seqs"] = ["type": "array", "items": seq, "minItems": 1, "maxItems": number(CommandLimits.defaultSetSize)]
        definitions["user"] = [
            "description": .string(bytes(UserID.maximumBytes)), "type": "string", "minLength": 1, "maxLength": number(UserID.maximumBytes),
        ]
        definitions["channel"] = [
            "description": .string(bytes(Channel.maximumNameBytes)), "type": "string", "maxLength": number(Channel.maximumNameBytes),
            "pattern":
                "^(inbox|broadcast:system|broadcast:[^:]+:.+|conversation:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$",
        ]
        definitions["token"] = ["description": "A JWT in its compact form.", "type": "string", "minLength": 1]
        definitions["ticket"] = [
            "description": "A one-time ticket of POST /v1/ticket, instead of a token.", "type": "string", "minLength": 1,
        ]
        definitions["subscription"] = [
            "type": "object", "required": ["channel"], "properties": ["channel": channel, "since": position, "tail": tail, "epoch": epoch],
            "not": ["required": ["since", "tail"]],
        ]
        return definitions
    }()
}

// MARK: Documents

extension ClientCommand {
    /// The text of `docs/reference/schemas/client-command.json`.
    static var schemaText: String {
        var definitions = CommandSchema.definitions
        for type in types { definitions[type.name] = type.schema.definition(of: type.name) }
        let schema: JSONValue = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:hub:v1:client-command",
            "title": "A command of a client, subprotocol hub.v1.json",
            "description":
                "One line of a text frame from client to hub. Members not named here are ignored by the hub, so they are allowed.",
            "oneOf": .array(names.map { ["$ref": .string("#/$defs/\($0)")] }), "$defs": .object(definitions),
        ]
        return schema.laidOut() + "\n"
    }

    /// The table of commands in `docs/reference/protocol.md`.
    static var markdownTable: String {
        "| command | members | what it is for |\n|---|---|---|\n"
            + types.map { "| `\($0.name)` | \($0.schema.row) | \($0.summary.cell()) |\n" }.joined()
    }
}

extension JSONValue {
    /// Writes readable JSON: a value that fits on one line is written on one line.
    fileprivate func laidOut(indentation: Int = 0, from column: Int = 0) -> String {
        let line = oneLine
        if indentation > 0, column + line.utf8.count <= 130 { return line }
        let inner = String(repeating: " ", count: indentation + 2)
        let outer = String(repeating: " ", count: indentation)
        switch self {
        case .object(let object):
            let members = object.members.map { member in
                let name = "\(inner)\(JSONValue.string(member.name).text): "
                return name + member.value.laidOut(indentation: indentation + 2, from: name.utf8.count)
            }
            return "{\n" + members.joined(separator: ",\n") + "\n\(outer)}"
        case .array(let elements):
            let lines = elements.map { inner + $0.laidOut(indentation: indentation + 2, from: inner.utf8.count) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
        case .null, .bool, .number, .string: return line
        }
    }

    private var oneLine: String {
        switch self {
        case .object(let object):
            if object.members.isEmpty { return "{}" }
            return "{ " + object.members.map { "\(JSONValue.string($0.name).text): \($0.value.oneLine)" }.joined(separator: ", ") + " }"
        case .array(let elements): return "[" + elements.map(\.oneLine).joined(separator: ", ") + "]"
        case .null, .bool, .number, .string: return text
        }
    }
}

public import JSON

/// An event in the hub's own JSON, as a platform service would publish it.
public struct EventDraft: Equatable, Sendable {
    /// The de-duplication key: publishing the same id again changes nothing.
    public var id: String
    /// For example `peer-review.requested`.
    public var type: String
    /// `user:ID`, `broadcast:NAME` or `conversation:UUID`.
    public var recipients: [String]
    public var title: String
    public var body: String?
    public var priority: String?
    public var form: String?
    public var context: String?
    public var link: String?
    public var group: String?
    public var collapse: String?
    public var expiresAt: String?
    public var isReceiptRequired = false
    public var data: JSONValue?

    /// Sets `data` as JSON has it.
    public mutating func setData(_ json: String) throws(CommandFailure) {
        do throws(JSONError) {
            data = try JSONValue.parse(json)
        } catch {
            throw CommandFailure(.usage, "data: \(error)")
        }
    }

    public init(id: String, type: String, recipients: [String], title: String) {
        self.id = id
        self.type = type
        self.recipients = recipients
        self.title = title
    }

    /// Records of one recipient stay in one partition, and so in order.
    public var key: String { recipients.first ?? id }

    public var json: String {
        var members = JSONObject()
        members["id"] = .string(id)
        members["type"] = .string(type)
        members["to"] = .array(recipients.map { .string($0) })
        members["title"] = .string(title)
        members["body"] = body.map { .string($0) }
        members["priority"] = priority.map { .string($0) }
        members["form"] = form.map { .string($0) }
        members["context"] = context.map { .string($0) }
        members["link"] = link.map { .string($0) }
        members["group"] = group.map { .string($0) }
        members["collapse"] = collapse.map { .string($0) }
        members["expiresAt"] = expiresAt.map { .string($0) }
        members["receipt"] = isReceiptRequired ? "required" : nil
        members["data"] = data
        return JSONValue.object(members).text
    }
}

package import JSON

/// An event in the hub's own JSON, in the form that platform services publish.
/// More than twelve stored properties: one for each member of an event record.
package struct EventDraft: Equatable, Sendable {
    /// The de-duplication key: the hub ignores a second event with the same id.
    package var id: String
    /// For example `peer-review.requested`.
    package var type: String
    /// `user:ID`, `broadcast:NAME` or `conversation:UUID`.
    package var recipients: [String]
    package var title: String?
    package var body: String?
    package var priority: String?
    package var form: String?
    package var context: String?
    package var link: String?
    package var group: String?
    package var collapse: String?
    package var expiresAt: String?
    package var isReceiptRequired = false
    package var data: JSONValue?
    package var retraction: Retraction?

    /// What the event takes back instead of making entries.
    package enum Retraction: Equatable, Sendable {
        /// - Parameter source: nil for an event in the hub's own JSON.
        case event(id: String, source: String?)
        case group(String)
    }

    /// Sets `data` to a JSON text.
    package mutating func setData(_ json: String) throws(CommandFailure) {
        do throws(JSONError) {
            data = try JSONValue.parse(json)
        } catch {
            throw CommandFailure(.usage, "data: \(error)")
        }
    }

    package init(id: String, type: String, recipients: [String], title: String?) {
        self.id = id
        self.type = type
        self.recipients = recipients
        self.title = title
    }

    /// The record's key. Records of one recipient share a partition, which keeps their order.
    package var key: String { recipients.first ?? id }

    package var json: String {
        var members = JSONObject()
        members["id"] = .string(id)
        members["type"] = .string(type)
        members["to"] = .array(recipients.map { .string($0) })
        members["title"] = title.map { .string($0) }
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
        members["retract"] = retraction.map { retraction in
            switch retraction {
            case .event(let id, let source):
                var named = JSONObject()
                named["source"] = source.map { .string($0) }
                named["id"] = .string(id)
                return .object(named)
            case .group(let group): return ["group": .string(group)]
            }
        }
        return JSONValue.object(members).text
    }
}

internal import JSON

/// Debezium, "Outbox event router" (`io.debezium.transforms.outbox.EventRouter`).
extension ChangeDecoder {
    func outboxEvent(_ record: ChangeRecord) throws(ChangeRejection) -> OutboxEvent {
        guard let id = record.headerText("id"), !id.isEmpty else {
            throw ChangeRejection(.missingMember, at: "header id", expected: "the event's id", found: "no header")
        }
        let type = String(record.topic.dropFirst(options.outboxTopicPrefix.count))
        guard !type.isEmpty else { throw ChangeRejection(.missingMember, at: "topic", expected: "an aggregate type", found: "none") }
        var aggregateID: String?
        if let key = record.key, !key.isEmpty {
            guard let text = ChangeRecord.text(key) else {
                throw ChangeRejection(.keyNotJSON, at: "key", expected: "a text in UTF-8", found: "other bytes")
            }
            if text != "null" { aggregateID = text }
        }
        let value = try record.value.map { bytes throws(ChangeRejection) in try outboxValue(bytes) }
        return OutboxEvent(
            id: id, aggregateType: type, aggregateID: aggregateID, type: record.headerText(options.outboxTypeHeader) ?? value?.type,
            payload: value?.payload,
            headers: record.headers.compactMap { header in
                guard header.name != "id", !header.name.hasPrefix("__debezium."), let text = header.value.flatMap(ChangeRecord.text) else {
                    return nil
                }
                return OutboxEvent.Header(name: header.name, text: text)
            })
    }

    /// The payload as JSON text. By default the value is a string that contains it; with `table.expand.json.payload` it is the value
    /// itself; with StringConverter it has no quotes. A payload that is not JSON becomes a JSON string. A column with the placement `envelope`
    /// makes the value an object with the payload and these columns.
    private func outboxValue(_ bytes: [UInt8]) throws(ChangeRejection) -> (payload: String?, type: String?) {
        let document: JSONDocument
        do {
            document = try SchemaCache.open(once: bytes).document
        } catch {
            if error.reason == .nul { throw ChangeRejection(.nulCharacter, "value: \(error)") }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw ChangeRejection(.notJSON, at: "value", expected: "a text in UTF-8", found: "other bytes")
            }
            return (try quoted(text), nil)
        }
        guard let envelope = Self.envelope(document) else { return (try payload(document.root, in: document), nil) }
        let type = envelope.members.first { $0.name == options.outboxTypeHeader }.flatMap { document.string($0.value) }
        return (try payload(envelope.payload, in: document), type)
    }

    /// Columns are no objects, and an event of the hub has `to`.
    private static func envelope(
        _ document: JSONDocument
    ) -> (payload: JSONDocument.Value, members: [(name: String, value: JSONDocument.Value)])? {
        guard let members = document.members(of: document.root), let payload = members.first(where: { $0.name == "payload" })?.value
        else { return nil }
        let columns = members.filter { $0.name != "payload" }
        guard !columns.isEmpty, columns.allSatisfy({ $0.name != "to" && $0.value.kind != .object && $0.value.kind != .array }) else {
            return nil
        }
        return (payload, columns)
    }

    private func payload(_ value: JSONDocument.Value, in document: JSONDocument) throws(ChangeRejection) -> String? {
        guard let text = document.string(value) else { return value.kind == .null ? nil : document.text(value) }
        do {
            let inner = try JSONDocument(
                parsing: Array(text.utf8), limits: JSONLimits(maximumValues: ChangeLimits.values, refusesNUL: true))
            return inner.text(inner.root)
        } catch {
            if error.reason == .nul { throw ChangeRejection(.nulCharacter, "value: \(error)") }
            return try quoted(text)
        }
    }

    private func quoted(_ text: String) throws(ChangeRejection) -> String {
        guard !text.utf8.contains(0) else {
            throw ChangeRejection(.nulCharacter, at: "value", expected: "a text without U+0000", found: "one with it")
        }
        var json: [UInt8] = []
        json.appendJSONString(text)
        return String(decoding: json, as: UTF8.self)
    }
}

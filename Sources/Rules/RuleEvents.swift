internal import Bytes
internal import ChangeCapture
internal import JSON

extension Rule {
    /// The event of a change, or none when the row names nobody.
    func events(of change: RowChange, _ row: String?) throws(RuleFailure) -> [RuleEvent] {
        guard let values = change.after ?? change.before else { throw RuleFailure(detail: "the change has no row") }
        guard let id = change.id else {
            throw RuleFailure(detail: "the record has no LSN, so the same change could not be recognized when it is sent again")
        }
        let targets = try self.targets(in: values)
        guard !targets.isEmpty else { return [] }
        var event = JSONObject()
        event["type"] = .string(type)
        event["to"] = .array(targets.map { .string($0) })
        event["title"] = try localized(title, values)
        event["body"] = try localized(body, values)
        event["link"] = try link.map { text throws(RuleFailure) in .string(try text.filled(from: values)) }
        event["context"] = try context.map { text throws(RuleFailure) in .string(try text.filled(from: values)) }
        event["group"] = try group.map { text throws(RuleFailure) in .string(try text.filled(from: values)) }
        event["collapse"] = try collapse.map { text throws(RuleFailure) in .string(try text.filled(from: values)) }
        if !data.isEmpty {
            var members = JSONObject()
            for column in data {
                // A value that was not delivered is left out: the page fetches it.
                if let value = values[column].json { members[column] = value }
            }
            event["data"] = .object(members)
        }
        event["priority"] = priority.map { .string($0) }
        event["form"] = .string(form)
        if needsReceipt { event["receipt"] = .bool(true) }
        if let lifetime, let time = change.source.committedAt ?? change.source.capturedAt {
            let (milliseconds, isTooLarge) = (time / 1_000).addingReportingOverflow(lifetime)
            if !isTooLarge { event["expiresAt"] = .number(JSONNumber(max(0, milliseconds))) }
        }
        var json: [UInt8] = []
        event.write(into: &json)
        return [RuleEvent(row: row ?? "", rule: name, id: id.description, json: json)]
    }

    private func localized(_ texts: [LocalizedText], _ row: Row) throws(RuleFailure) -> JSONValue? {
        guard let first = texts.first else { return nil }
        if first.language.isEmpty { return .string(try first.text.filled(from: row)) }
        var members = JSONObject()
        for text in texts { members[text.language] = .string(try text.text.filled(from: row)) }
        return .object(members)
    }

    /// A target with a column that is null is left out: nobody is assigned yet. A column with a list gives a target for each element.
    private func targets(in row: Row) throws(RuleFailure) -> [String] {
        var found: [String] = []
        for target in targets {
            let lists = target.columns.filter { row[$0].elements != nil }
            guard lists.count <= 1 else { throw RuleFailure(detail: "to: only one column of a target can be a list") }
            if target.columns.contains(where: { row[$0] == .null }) { continue }
            guard let list = lists.first, let elements = row[list].elements else {
                found.append(try target.filled(from: row))
                continue
            }
            for element in elements where element != .null {
                found.append(try target.filled(from: Row(row.columns.map { $0.name == list ? Column(list, element) : $0 })))
            }
        }
        return found
    }
}

extension ColumnValue {
    /// The elements of an array column, or of a JSON column with an array.
    fileprivate var elements: [ColumnValue]? {
        switch self {
        case .array(let elements): return elements
        case .json(let text):
            guard let array = (try? JSONValue.parse(text))?.array else { return nil }
            return array.map { element in
                switch element {
                case .string(let text): .string(text)
                case .number(let number): number.int64.map { .int($0) } ?? .decimal(number.text)
                case .bool(let value): .bool(value)
                case .null: .null
                case .array, .object: .json(element.text)
                }
            }
        default: return nil
        }
    }

    /// Nil for a value that was not delivered.
    fileprivate var json: JSONValue? {
        switch self {
        case .null, .notANumber: return .null
        case .bool(let value): return .bool(value)
        case .int(let value), .time(let value), .duration(let value): return .number(JSONNumber(value))
        case .double(let value): return (try? JSONValue.parse(String(value))) ?? .null
        case .decimal(let text): return (try? JSONValue.parse(text)) ?? .string(text)
        case .string(let text): return .string(text)
        case .bytes(let bytes): return .string(Base64.encode(bytes))
        case .timestamp, .date: return (try? shown(as: "")).map { .string($0) }
        case .json(let text): return try? JSONValue.parse(text)
        case .array(let elements): return .array(elements.map { $0.json ?? .null })
        case .infinity: return .string("infinity")
        case .negativeInfinity: return .string("-infinity")
        case .unavailable, .absent: return nil
        }
    }
}

internal import CEL
internal import ChangeCapture
internal import Messaging
internal import Yams

extension Rule {
    /// Reads one element of `rules`. Nil, with faults, when it is not a rule.
    init?(_ node: Node, _ faults: inout [RulesFault]) {
        let before = faults.count
        guard var nameless = RuleMembers(node, rule: nil, &faults) else { return nil }
        let name = nameless.text("name", required: true, &faults)
        var members = RuleMembers(nameless, of: name)
        if let name, !Self.isName(name) {
            faults.append(members.fault("name: expected 1 to 64 letters, digits, hyphens, dots or underscores, got \(name)"))
        }
        let table = members.text("table", required: true, &faults)
        let tableName = table.flatMap { TableName(text: $0) }
        if let table, tableName == nil { faults.append(members.fault("table: expected schema.table, got \(table)")) }
        var operations: Set<RowChange.Operation> = []
        for word in members.list("operations", &faults) ?? ["insert", "update"] {
            switch word {
            case "insert": operations.insert(.insert)
            case "update": operations.insert(.update)
            case "delete": operations.insert(.delete)
            default: faults.append(members.fault("operations: expected insert, update or delete, got \(word)"))
            }
        }
        let condition = members.condition("when", &faults)
        let holds = members.condition("holds", &faults)
        if holds?.needsOldRow == true { faults.append(members.fault("holds: it can read only the new row (after)")) }
        let targets = members.ruleTexts("to", &faults)
        if targets.isEmpty { faults.append(members.fault("to: expected at least one target, such as user:{reviewer}")) }
        let type = members.text("type", required: true, &faults)
        let title = members.localized("title", &faults)
        let body = members.localized("body", &faults)
        let link = members.ruleText("link", &faults)
        let context = members.ruleText("context", &faults)
        let data = members.list("data", &faults) ?? []
        let priority = members.choice("priority", of: EntryDraft.Priority.self, &faults)
        let group = members.ruleText("group", &faults)
        let collapse = members.ruleText("collapse", &faults)
        let lifetime = members.lifetime(&faults)
        let form = members.choice("form", of: EntryDraft.Form.self, &faults) ?? EntryDraft.Form.hint.rawValue
        let receipt = members.text("receipt", &faults)
        if let receipt, receipt != "true", receipt != "false" {
            faults.append(members.fault("receipt: expected true or false, got \(receipt)"))
        }
        members.finish(&faults)
        guard faults.count == before, let name, let tableName, let type else { return nil }
        self.init(
            name: name, table: tableName, operations: operations, condition: condition, holds: holds, targets: targets, type: type,
            title: title, body: body, link: link, context: context, data: data, priority: priority, group: group, collapse: collapse,
            lifetime: lifetime, form: form, needsReceipt: receipt == "true", line: members.line)
    }

    static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}

extension RuleMembers {
    mutating func condition(_ name: String, _ faults: inout [RulesFault]) -> RuleCondition? {
        guard let text = text(name, &faults) else { return nil }
        do throws(CELError) { return try RuleCondition(text) } catch { faults.append(fault("\(name): \(error)")) }
        return nil
    }

    mutating func ruleText(_ name: String, _ faults: inout [RulesFault]) -> RuleText? {
        text(name, &faults).flatMap { parsed($0, name, &faults) }
    }

    fileprivate mutating func ruleTexts(_ name: String, _ faults: inout [RulesFault]) -> [RuleText] {
        (list(name, &faults) ?? []).compactMap { parsed($0, name, &faults) }
    }

    fileprivate mutating func localized(_ name: String, _ faults: inout [RulesFault]) -> [LocalizedText] {
        texts(name, &faults).compactMap { language, text in
            parsed(text, name, &faults).map { LocalizedText(language: language, text: $0) }
        }
    }

    private func parsed(_ text: String, _ name: String, _ faults: inout [RulesFault]) -> RuleText? {
        do throws(RuleText.Fault) { return try RuleText(parsing: text) } catch { faults.append(fault("\(name): \(error.message)")) }
        return nil
    }

    fileprivate mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of: Choice.Type, _ faults: inout [RulesFault]
    ) -> String? where Choice.RawValue == String {
        guard let text = text(name, &faults) else { return nil }
        if Choice(rawValue: text) == nil {
            faults.append(fault("\(name): expected one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")), got \(text)"))
        }
        return text
    }

    /// `expires`: a number with the unit m, h or d.
    fileprivate mutating func lifetime(_ faults: inout [RulesFault]) -> Int64? {
        guard let text = text("expires", &faults) else { return nil }
        let units: [Character: Int64] = ["m": 60_000, "h": 3_600_000, "d": 86_400_000]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), (1...100_000).contains(count) else {
            faults.append(fault("expires: expected a number and a unit, such as 30m, 12h or 7d, got \(text)"))
            return nil
        }
        return count * unit
    }
}

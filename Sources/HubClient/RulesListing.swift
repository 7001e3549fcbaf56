import Intake
package import Rules

/// A checked rules file as text for its author.
package struct RulesListing {
    package let lines: [String]

    package init(path: String, language: RuleLanguage = .english) throws(CommandFailure) {
        do throws(RulesFile.Failure) {
            let rules = try RulesFile(reading: path).rules
            lines =
                rules.rules.map { Self.line($0, language) }
                + rules.access.map { $0.name + (language == .french ? " : " : ": ") + $0.sentence(in: language) }
                + ["\(path): \(rules.rules.count + rules.access.count) rules, no fault"]
        } catch {
            throw CommandFailure(.configuration, lines: error.lines)
        }
    }

    private static func line(_ rule: Rule, _ language: RuleLanguage) -> String {
        let columns = rule.leavingColumns
        switch language {
        case .english:
            let leaving = columns.isEmpty ? "none" : columns.joined(separator: ", ")
            return "\(rule.name): \(rule.sentence(in: language)); columns that leave: \(leaving)"
        case .french:
            let leaving = columns.isEmpty ? "aucune" : columns.joined(separator: ", ")
            return "\(rule.name) : \(rule.sentence(in: language)) ; colonnes qui sortent : \(leaving)"
        }
    }
}

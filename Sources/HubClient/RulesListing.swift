import Linux
package import Rules

/// A checked rules file as text for its author.
package struct RulesListing {
    package let lines: [String]

    package init(path: String, language: RuleLanguage = .english) throws(CommandFailure) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: RuleSet.mostFileBytes)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        do throws(RulesRefusal) {
            let rules = try RuleSet(parsing: String(decoding: bytes, as: UTF8.self))
            lines = rules.rules.map { Self.line($0, language) } + ["\(path): \(rules.rules.count) rules, no fault"]
        } catch {
            throw CommandFailure(.configuration, lines: error.faults.map { "\(path): \($0)" })
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

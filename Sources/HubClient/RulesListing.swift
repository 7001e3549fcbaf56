import ChangeCapture
import Linux
import Rules

/// A checked rules file as text for its author.
package struct RulesListing {
    package let lines: [String]

    package init(path: String) throws(CommandFailure) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Files.read(path, limit: RuleSet.mostFileBytes)
        } catch {
            throw CommandFailure(.usage, "\(error)")
        }
        do throws(RulesRefusal) {
            let rules = try RuleSet(parsing: String(decoding: bytes, as: UTF8.self))
            lines = rules.rules.map(Self.line) + ["\(path): \(rules.rules.count) rules, no fault"]
        } catch {
            throw CommandFailure(.configuration, lines: error.faults.map { "\(path): \($0)" })
        }
    }

    private static func line(_ rule: Rule) -> String {
        let operations = rule.operations.map(\.rawValue).sorted().joined(separator: ", ")
        let leaving = rule.leavingColumns.isEmpty ? "none" : rule.leavingColumns.joined(separator: ", ")
        return
            "\(rule.name): \(operations) of \(rule.table)\(rule.conditionText.map { " when \($0)" } ?? ""); columns that leave: \(leaving)"
    }
}

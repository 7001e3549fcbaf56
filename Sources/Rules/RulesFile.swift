internal import CEL
internal import ChangeCapture
internal import Yams

/// A fault of the rules file. A file with a fault is refused as a whole.
public struct RulesFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// From 1; nil when the fault concerns the whole file.
    public let line: Int?
    /// The rule's name, where the fault is in a rule.
    public let rule: String?
    public let message: String

    public var description: String {
        [line.map { "line \($0)" }, rule.map { "rule \($0)" }, message].compactMap { $0 }.joined(separator: ": ")
    }
}

/// All faults of a rules file, at least one.
public struct RulesRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    public let faults: [RulesFault]
    public var description: String { faults.map(\.description).joined(separator: "\n") }
}

extension RuleSet {
    /// Most rules of a file.
    public static let mostRules = 5_000
    /// Most bytes of a file.
    public static let mostFileBytes = 4 << 20

    /// Reads a rules file (docs/reference/rules.md): YAML with `version: 1`, `tables`, `rules` and `access`.
    public init(parsing text: String) throws(RulesRefusal) {
        guard text.utf8.count <= Self.mostFileBytes else {
            throw RulesRefusal(faults: [
                RulesFault(line: nil, rule: nil, message: "\(text.utf8.count) bytes; expected at most \(Self.mostFileBytes)")
            ])
        }
        var reader = RulesReader()
        do {
            reader.read(try Yams.compose(yaml: text))
        } catch {
            reader.faults.append(RulesFault(yaml: error))
        }
        guard reader.faults.isEmpty else { throw RulesRefusal(faults: reader.faults) }
        self.init(rules: reader.rules, access: reader.access, changes: reader.changes)
    }
}

extension RulesFault {
    fileprivate init(yaml error: any Error) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            self.init(line: mark.line, rule: nil, message: "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            self.init(line: context.mark.line, rule: nil, message: "set twice: " + duplicates.sorted().joined(separator: ", "))
        default: self.init(line: nil, rule: nil, message: "not YAML: \(error)")
        }
    }
}

/// Reads the tree of a rules file, and collects all faults.
private struct RulesReader {
    var rules: [Rule] = []
    var access: [AccessRule] = []
    private var names: [String: Int] = [:]
    var changes = ChangeOptions()
    var faults: [RulesFault] = []

    mutating func read(_ root: Node?) {
        guard let root, var file = RuleMembers(root, rule: nil, &faults) else {
            if root == nil {
                faults.append(RulesFault(line: nil, rule: nil, message: "the file is empty; expected version, tables and rules"))
            }
            return
        }
        if let version = file.text("version", required: true, &faults), version != "1" {
            faults.append(RulesFault(line: file.line, rule: nil, message: "version: expected 1, got \(version)"))
        }
        if let tables = file.take("tables") { readTables(tables) }
        let (rules, access) = (file.take("rules"), file.take("access"))
        file.finish(&faults)
        for node in elements(rules, "rules") {
            guard let rule = Rule(node, &faults) else { continue }
            note(rule.name, rule.line)
            if rule.needsOldRow, !changes.fullTables.contains(rule.table) {
                faults.append(
                    RulesFault(
                        line: rule.line, rule: rule.name,
                        message: """
                            the condition compares with the old row: set REPLICA IDENTITY FULL for the table and `identity: full` under \
                            tables: \(rule.table)
                            """))
            }
            self.rules.append(rule)
        }
        for node in elements(access, "access") {
            guard let rule = AccessRule(node, &faults) else { continue }
            note(rule.name, rule.line)
            self.access.append(rule)
        }
    }

    private mutating func elements(_ list: Node?, _ name: String) -> [Node] {
        guard let list else { return [] }
        guard case .sequence(let nodes) = list else {
            faults.append(RulesFault(line: list.mark?.line, rule: nil, message: "\(name): expected a list"))
            return []
        }
        guard nodes.count <= RuleSet.mostRules else {
            faults.append(
                RulesFault(line: list.mark?.line, rule: nil, message: "\(name): \(nodes.count); expected at most \(RuleSet.mostRules)"))
            return []
        }
        return Array(nodes)
    }

    private mutating func note(_ name: String, _ line: Int) {
        guard let first = names.updateValue(line, forKey: name) else { return }
        faults.append(RulesFault(line: line, rule: name, message: "the rule of line \(first) has the same name"))
    }

    private mutating func readTables(_ node: Node) {
        guard case .mapping(let tables) = node else {
            faults.append(RulesFault(line: node.mark?.line, rule: nil, message: "tables: expected names of tables with their members"))
            return
        }
        for (name, value) in tables {
            guard let table = name.string.flatMap({ TableName(text: $0) }) else {
                faults.append(RulesFault(line: name.mark?.line, rule: nil, message: "expected the name of a table: schema.table"))
                continue
            }
            guard var members = RuleMembers(value, rule: nil, &faults) else { continue }
            if let identity = members.text("identity", &faults) {
                if identity == "full" {
                    changes.fullTables.insert(table)
                } else if identity != "default" {
                    faults.append(RulesFault(line: members.line, rule: nil, message: "identity: expected full or default, got \(identity)"))
                }
            }
            for (column, type) in members.texts("columns", &faults) {
                guard let declared = DeclaredType(sql: type) else {
                    faults.append(
                        RulesFault(line: members.line, rule: nil, message: "columns: \(column): \(type) is not a type of PostgreSQL"))
                    continue
                }
                changes.columnTypes[table, default: [:]][column] = declared
            }
            members.finish(&faults)
        }
    }
}

extension TableName {
    /// Reads `schema.table`; a name without a schema is in `public`.
    init?(text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 63 }) else { return nil }
        self = parts.count == 2 ? TableName(schema: parts[0], table: parts[1]) : TableName(table: parts[0])
    }
}

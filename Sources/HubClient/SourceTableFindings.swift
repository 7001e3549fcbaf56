import Bytes
import ChangeCapture
import Rules

extension SourceFindings {
    /// One table that rules name.
    func of(table name: TableName) -> [SourceFinding] {
        let part = name.description
        let rules = self.rules.rules.filter { $0.table == name }
        guard let table = facts.tables[name] else {
            return [
                .wrong(
                    part, "there is no such table, and \(Self.list(rules.map(\.name), "rule")) \(rules.count == 1 ? "names" : "name") it",
                    mend: "correct the rules file, or create the table")
            ]
        }
        let findings = published(name, table, rules) + columns(name, table, rules) + identity(name, table, rules)
        guard findings.isEmpty else { return findings }
        let names = Self.list(rules.map(\.name), "rule")
        let cost =
            table.identity != .full && rules.contains { $0.operations.contains(.update) }
            ? ". With replica identity full the hub would not look into its store at each update" : ""
        return [.good(part, "published, with all columns and the replica identity that \(names) need\(cost)")]
    }

    private func published(_ name: TableName, _ table: SourceFacts.Table, _ rules: [Rule]) -> [SourceFinding] {
        guard let publication = facts.publication else { return [] }
        let part = name.description
        guard let published = publication.tables[name] else {
            let mend =
                table.isPartitioned
                ? "alter publication \(self.publication) set (publish_via_partition_root = true), and add the table if it is missing"
                : "alter publication \(self.publication) add table \(name)"
            return [.wrong(part, "the publication \(self.publication) does not contain it: its changes do not come", mend: mend)]
        }
        var findings: [SourceFinding] = []
        if let columns = published.columns {
            let missing = Set(rules.flatMap(\.needs.columns)).intersection(table.columns).subtracting(columns).sorted()
            if !missing.isEmpty {
                findings.append(
                    .wrong(
                        part, "the publication leaves out \(Self.list(missing, "column")), which rules name",
                        mend: "add the columns to the column list of the table in \(self.publication)"))
            }
        }
        if let filter = published.rowFilter {
            findings.append(
                .warning(
                    part, "the publication has a row filter, \(filter): changes of other rows do not come",
                    mend: "remove the filter if rules are to see these rows: alter publication \(self.publication) set table …"))
        }
        return findings
    }

    private func columns(_ name: TableName, _ table: SourceFacts.Table, _ rules: [Rule]) -> [SourceFinding] {
        var findings: [SourceFinding] = []
        for rule in rules {
            for column in rule.needs.columns where !table.columns.contains(column) {
                let nearest = NearestName.suggestion(for: column, among: table.columns).map { ": did you mean \($0)?" } ?? ""
                findings.append(
                    .wrong(
                        name.description, "rule \(rule.name) names the column \(column), which the table does not have",
                        mend: "correct the rule\(nearest)"))
            }
        }
        for column in (self.rules.changes.columnTypes[name] ?? [:]).keys.sorted() where !table.columns.contains(column) {
            findings.append(
                .warning(
                    name.description, "the rules file declares the type of the column \(column), which the table does not have",
                    mend: "correct tables: \(name): columns"))
        }
        return findings
    }

    private func identity(_ name: TableName, _ table: SourceFacts.Table, _ rules: [Rule]) -> [SourceFinding] {
        let part = name.description
        let full = "alter table \(name) replica identity full"
        var findings: [SourceFinding] = []
        let isDeclaredFull = self.rules.changes.fullTables.contains(name)
        if table.logged.isEmpty {
            let why =
                switch table.identity {
                case .nothing: "its replica identity is nothing"
                case .index: "its replica identity is an index that does not exist any more"
                case .standard, .full: "it has neither a primary key nor replica identity full"
                }
            findings.append(
                .wrong(part, "\(why): PostgreSQL refuses updates and deletes of a published table like this one", mend: full))
        }
        if table.key.isEmpty, rules.contains(where: \.needs.retracts) {
            findings.append(
                .warning(
                    part, "it has no primary key: an entry cannot be taken back, because its row is not found again",
                    mend: "give the table a primary key"))
        }
        if table.identity == .index, !table.index.isSuperset(of: table.key), rules.contains(where: \.needs.retracts) {
            findings.append(
                .wrong(
                    part,
                    "its replica identity is an index without \(Self.list(table.key.subtracting(table.index).sorted(), "key column")): a delete "
                        + "does not say which row it was, and its entries stay", mend: full))
        }
        guard table.identity != .full else {
            if !isDeclaredFull {
                findings.append(
                    .warning(
                        part, "its replica identity is full, and the rules file does not say so: values of deleted rows are not used",
                        mend: "write `identity: full` under tables: \(name) in the rules file"))
            }
            return findings
        }
        if isDeclaredFull {
            findings.append(
                .wrong(
                    part,
                    "the rules file says identity: full, and the table's replica identity is \(table.identity): "
                        + "empty values of deleted rows would be taken for true ones", mend: full))
        }
        for rule in rules {
            if !rule.needs.oldColumns.isEmpty {
                findings.append(
                    .wrong(
                        part,
                        "rule \(rule.name) compares with the old value of \(Self.list(rule.needs.oldColumns, "column")), "
                            + "which PostgreSQL does not log for this table", mend: full))
            }
            let missing = Set(rule.needs.deletedColumns).subtracting(table.logged).subtracting(rule.needs.oldColumns).sorted()
            if !missing.isEmpty {
                findings.append(
                    .wrong(
                        part,
                        "rule \(rule.name) needs \(Self.list(missing, "column")) of deleted rows, and a delete has \(table.loggedText)",
                        mend: full))
            }
        }
        return findings
    }

    /// `rule a`, `rules a, b`.
    private static func list(_ names: [String], _ noun: String) -> String {
        "\(noun)\(names.count == 1 ? "" : "s") \(names.joined(separator: ", "))"
    }
}

extension SourceFacts.Table {
    fileprivate var loggedText: String { logged.isEmpty ? "nothing" : "only " + logged.sorted().joined(separator: ", ") }
}

extension SourceFacts.Table.Identity: CustomStringConvertible {
    var description: String {
        switch self {
        case .standard: "default"
        case .nothing: "nothing"
        case .full: "full"
        case .index: "using index"
        }
    }
}

internal import CEL
public import ChangeCapture
internal import Messaging
internal import Yams

/// One element of `access`: as long as a row of the table is there, its condition is true and its dates hold, a user may follow a broadcast.
public struct AccessRule: Sendable {
    /// Unique in the file.
    public let name: String
    public let table: TableName
    /// Over the new row alone; nil: each row grants.
    let condition: RuleCondition?
    let user: RuleText
    let channel: RuleText
    /// Columns with the first moment of the right, and the first moment after it; nil, or null in the row: without end.
    let from: String?
    let until: String?
    let line: Int
}

/// What a row says, after a change, about the right that its rule makes of it.
public struct RuleAccess: Equatable, Sendable {
    public struct Grant: Equatable, Sendable {
        public let user: String
        /// `broadcast:<name>`.
        public let channel: String
        /// Milliseconds since 1970.
        public let from: Int64?
        public let until: Int64?
    }

    public let row: String
    public let rule: String
    /// Nil: the row grants nothing, or nothing any more.
    public let grant: Grant?
}

extension AccessRule {
    /// A sentence about the rule, for people who do not know the language of conditions.
    public func sentence(in language: RuleLanguage) -> String {
        let dates = [from, until].map { $0 ?? "…" }
        let span = from == nil && until == nil ? "" : " (\(dates[0]) – \(dates[1]))"
        switch language {
        case .english:
            let when = condition.map { " when \($0.sentence(in: .english))" } ?? ""
            return "a row of \(table)\(when) lets \(user.source) follow \(channel.source)\(span)"
        case .french:
            let when = condition.map { " quand \($0.sentence(in: .french))" } ?? ""
            return "une ligne de \(table)\(when) permet à \(user.source) de suivre \(channel.source)\(span)"
        }
    }

    init?(_ node: Node, _ faults: inout [RulesFault]) {
        let before = faults.count
        guard var nameless = RuleMembers(node, rule: nil, &faults) else { return nil }
        let name = nameless.text("name", required: true, &faults)
        var members = RuleMembers(nameless, of: name)
        if let name, !Rule.isName(name) {
            faults.append(members.fault("name: expected 1 to 64 letters, digits, hyphens, dots or underscores, got \(name)"))
        }
        let table = members.text("table", required: true, &faults)
        let tableName = table.flatMap { TableName(text: $0) }
        if let table, tableName == nil { faults.append(members.fault("table: expected schema.table, got \(table)")) }
        let condition = members.condition("when", &faults)
        if condition?.needsOldRow == true { faults.append(members.fault("when: it can read only the new row (after)")) }
        func required(_ name: String) -> RuleText? {
            let text = members.ruleText(name, &faults)
            if text == nil, faults.count == before { faults.append(members.fault("\(name): missing")) }
            return text
        }
        let (user, channel) = (required("user"), required("channel"))
        if let channel, !channel.source.hasPrefix("broadcast:") {
            faults.append(members.fault("channel: expected broadcast:<name>, got \(channel.source)"))
        }
        let from = members.text("from", &faults)
        let until = members.text("until", &faults)
        members.finish(&faults)
        guard faults.count == before, let name, let tableName, let user, let channel else { return nil }
        self.init(
            name: name, table: tableName, condition: condition, user: user, channel: channel, from: from, until: until,
            line: members.line)
    }

    /// Adds what the change says about the right. Rows of snapshots count as well: they are how the hub learns of rights from before.
    func apply(to change: RowChange, _ row: String?, _ outcome: inout RuleOutcome) {
        guard let row else {
            outcome.failures.append(RuleFailure(rule: name, detail: "the row has no key, so the end of its right could not be recognized"))
            return
        }
        guard let after = change.after, change.operation != .delete else {
            return outcome.access.append(RuleAccess(row: row, rule: name, grant: nil))
        }
        // A value that was not delivered has not changed.
        if columns.contains(where: { after[$0] == .unavailable }) { return outcome.undecided.append(name) }
        switch condition?.evaluate(change) ?? .isTrue {
        case .isFalse: outcome.access.append(RuleAccess(row: row, rule: name, grant: nil))
        case .unknown: outcome.undecided.append(name)
        // What cannot be judged grants nothing: a right that was there before ends.
        case .failure(let failure):
            outcome.access.append(RuleAccess(row: row, rule: name, grant: nil))
            outcome.failures.append(RuleFailure(rule: name, detail: "when: \(failure)"))
        case .isTrue:
            do throws(RuleFailure) {
                outcome.access.append(RuleAccess(row: row, rule: name, grant: try grant(by: after)))
            } catch {
                outcome.access.append(RuleAccess(row: row, rule: name, grant: nil))
                outcome.failures.append(RuleFailure(rule: name, detail: error.detail))
            }
        }
    }

    private var columns: [String] { user.columns + channel.columns + [from, until].compactMap(\.self) }

    /// Nil when the row names nobody, or the right would never hold.
    private func grant(by row: Row) throws(RuleFailure) -> RuleAccess.Grant? {
        if (user.columns + channel.columns).contains(where: { row[$0] == .null }) { return nil }
        if from.map({ row[$0] == .infinity }) == true || until.map({ row[$0] == .negativeInfinity }) == true { return nil }
        return RuleAccess.Grant(
            user: try user.filled(from: row), channel: try channel.filled(from: row),
            from: try from.flatMap { column throws(RuleFailure) in try row[column].moment(of: column, isEnd: false) },
            until: try until.flatMap { column throws(RuleFailure) in try row[column].moment(of: column, isEnd: true) })
    }
}

extension ColumnValue {
    /// Milliseconds since 1970; nil: without end. A date as an end counts to the end of its day, in UTC.
    fileprivate func moment(of column: String, isEnd: Bool) throws(RuleFailure) -> Int64? {
        switch self {
        case .null: return nil
        case .timestamp(let microseconds): return microseconds / 1_000
        case .date(let days):
            let (milliseconds, isTooLarge) = days.multipliedReportingOverflow(by: 86_400_000)
            guard !isTooLarge else { throw RuleFailure(detail: "column \(column): the date is out of range") }
            return isEnd ? milliseconds + 86_400_000 : milliseconds
        case .infinity where isEnd, .negativeInfinity where !isEnd: return nil
        case .absent: throw RuleFailure(detail: "the row has no column \(column)")
        default: throw RuleFailure(detail: "column \(column) is neither a time nor a date; declare its type under tables")
        }
    }
}

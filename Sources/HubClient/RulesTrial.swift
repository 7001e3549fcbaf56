import Intake
import JSON
import Kafka
import Messaging
package import Rules

/// `hub rules try`: what candidate rules would have made of changes that Kafka has, beside the rules in use. Nothing is sent or stored.
package struct RulesTrial {
    package struct Order {
        package var candidate: String
        /// The rules in use; nil: none, so everything is new.
        package var live: String?
        package var limits = RuleComparison.Limits()
        /// Most records that are read.
        package var most = 1_000_000

        package init(candidate: String, live: String?) {
            self.candidate = candidate
            self.live = live
        }
    }

    let order: Order
    let plan: ChangeRange.Plan
    let comparison: RuleComparison
    let newColumns: [RuleComparison.NewColumn]
    let isWhole: Bool
    /// The times of the first and last records, RFC 3339.
    let times: (first: String?, last: String?)
    private let ruleCounts: RuleTally

    package init(_ order: Order, of range: ChangeRange, within limit: Duration) throws(CommandFailure) {
        let (candidate, live) = (try Self.rules(order.candidate), try order.live.map(Self.rules) ?? .empty)
        var (candidateRehearsal, liveRehearsal) = (RuleRehearsal(candidate), RuleRehearsal(live))
        let reader = try range.reader(within: limit)
        let plan = try range.plan(reader)
        var comparison = RuleComparison()
        var (isWhole, first, last) = (true, Int64?.none, Int64?.none)
        do throws(KafkaError) {
            try reader.read(plan.ranges) { record in
                guard range.contains(record) else { return true }
                guard comparison.records < order.most else {
                    isWhole = false
                    return false
                }
                if let time = record.timestamp { (first, last) = (min(first ?? time, time), max(last ?? time, time)) }
                comparison.add(
                    live: liveRehearsal.effects(of: record), candidate: candidateRehearsal.effects(of: record), at: record.timestamp)
                return true
            }
        } catch {
            throw ChangeRange.failure(error, range.brokers)
        }
        guard comparison.records > 0 else { throw CommandFailure(.usage, "no record lies in the range") }
        self.init(
            order, plan, comparison, newColumns: RuleComparison.newColumns(live: live, candidate: candidate), isWhole: isWhole,
            times: (first, last), ruleCounts: RuleTally(live: live.rules.count, candidate: candidate.rules.count))
    }

    init(
        _ order: Order, _ plan: ChangeRange.Plan, _ comparison: RuleComparison, newColumns: [RuleComparison.NewColumn], isWhole: Bool,
        times: (first: Int64?, last: Int64?), ruleCounts: RuleTally
    ) {
        self.order = order
        self.plan = plan
        self.comparison = comparison
        self.newColumns = newColumns
        self.isWhole = isWhole
        self.ruleCounts = ruleCounts
        self.times = (
            times.first.map { Timestamp(milliseconds: $0).rfc3339 }, times.last.map { Timestamp(milliseconds: $0).rfc3339 }
        )
    }

    static func rules(_ path: String) throws(CommandFailure) -> RuleSet {
        do throws(RulesFile.Failure) {
            return try RulesFile(reading: path).rules
        } catch {
            throw CommandFailure(.configuration, lines: error.lines)
        }
    }

    /// Why the candidate must not be used; empty when it is within the limits.
    package var breaches: [String] { comparison.breaches(of: order.limits, newColumns: newColumns, isWhole: isWhole) }

    // MARK: Text

    package var lines: [String] {
        let records = comparison.records == 1 ? "1 record" : "\(comparison.records) records"
        var lines = ["\(records) of \(plan.topics.joined(separator: ", ")), \(times.first ?? "no time") to \(times.last ?? "no time")"]
        lines += plan.notes.map { "note: \($0)" }
        if !isWhole { lines.append("note: --limit \(order.most) was reached, and the range has more records") }
        lines.append("live: " + (order.live.map { "\($0) (\(ruleCounts.live) rules)" } ?? "no rules: everything is new"))
        lines.append("candidate: \(order.candidate) (\(ruleCounts.candidate) rules)")
        lines.append("")
        lines += table
        let (more, less) = comparison.changedRecipients
        let people = comparison.recipientCount
        lines += [
            "", "recipients: \(people.live) live, \(people.candidate) candidate; \(more) would get more, \(less) would get less",
        ]
        lines += recipients("would get more", comparison.gaining(10))
        lines += recipients("would get less", comparison.losing(10))
        lines += recipients("get the most by the candidate", comparison.top(10))
        for (side, name) in [(RuleSide.live, "live"), (.candidate, "candidate")] {
            if let hour = comparison.busiestHour(side) {
                lines.append("most in one hour, \(name): \(hour.count) for \(hour.channel), \(Self.time(of: hour))")
            }
        }
        if !newColumns.isEmpty {
            lines.append("columns that newly leave:")
            lines += newColumns.map { "  \($0.table).\($0.column) by rule \($0.rule)" }
        }
        lines += faults("rejected records", comparison.rejections) + faults("failed rules", comparison.failures)
        for (rule, count) in comparison.undecided.sorted(by: { $0.key < $1.key }) {
            lines.append("undecided, because a value was not delivered: rule \(rule): \(count.live) live, \(count.candidate) candidate")
        }
        if comparison.uncounted > 0 {
            lines.append("note: \(comparison.uncounted) entries or failures were beyond what is kept of each recipient")
        }
        return lines
    }

    private var table: [String] {
        var rows = [["RULE", "LIVE", "CANDIDATE", "DIFFERENCE"]]
        func add(_ name: String, _ tally: RuleTally) {
            rows.append([name, String(tally.live), String(tally.candidate), (tally.difference > 0 ? "+" : "") + String(tally.difference)])
        }
        for (name, tally) in comparison.rules.sorted(by: { $0.key < $1.key }) { add(name, tally) }
        add("entries in all", comparison.entries)
        add("retractions", comparison.retractions)
        add("records with an effect", comparison.matched)
        if comparison.repeated != RuleTally() { add("sent again", comparison.repeated) }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[0] + padding : padding + row[column]
            }.joined(separator: "  ")
        }
    }

    private func recipients(_ head: String, _ list: [(channel: String, tally: RuleTally)]) -> [String] {
        list.isEmpty ? [] : ["\(head):"] + list.map { "  \($0.channel): \($0.tally.live) live, \($0.tally.candidate) candidate" }
    }

    private func faults(_ head: String, _ faults: [String: RuleComparison.Fault]) -> [String] {
        guard !faults.isEmpty else { return [] }
        return ["\(head):"]
            + faults.values.sorted { $0.name < $1.name }.map {
                "  \($0.name): \($0.count.live) live, \($0.count.candidate) candidate; such as: \($0.example)"
            }
    }

    private static func time(of hour: RuleComparison.BusyHour) -> String {
        let (milliseconds, isTooLarge) = hour.hour.multipliedReportingOverflow(by: 3_600_000)
        return Timestamp(milliseconds: isTooLarge ? 0 : milliseconds).rfc3339
    }

    // MARK: JSON

    package var json: String {
        var object = JSONObject()
        func number(_ value: Int) -> JSONValue { .number(JSONNumber(Int64(value))) }
        func tally(_ tally: RuleTally) -> JSONValue { ["live": number(tally.live), "candidate": number(tally.candidate)] }
        func named(_ name: String, _ list: [(channel: String, tally: RuleTally)]) {
            object[name] = .array(
                list.map {
                    ["channel": .string($0.channel), "live": number($0.tally.live), "candidate": number($0.tally.candidate)]
                })
        }
        func faults(_ name: String, _ faults: [String: RuleComparison.Fault]) {
            object[name] = .array(
                faults.values.sorted { $0.name < $1.name }.map {
                    [
                        "name": .string($0.name), "live": number($0.count.live), "candidate": number($0.count.candidate),
                        "example": .string($0.example),
                    ]
                })
        }
        object["records"] = number(comparison.records)
        object["whole"] = .bool(isWhole)
        object["topics"] = .array(plan.topics.map { .string($0) })
        object["first"] = times.first.map { .string($0) } ?? .null
        object["last"] = times.last.map { .string($0) } ?? .null
        object["notes"] = .array(plan.notes.map { .string($0) })
        object["matched"] = tally(comparison.matched)
        object["entries"] = tally(comparison.entries)
        object["retractions"] = tally(comparison.retractions)
        object["repeated"] = tally(comparison.repeated)
        var rules = JSONObject()
        for (name, count) in comparison.rules.sorted(by: { $0.key < $1.key }) { rules[name] = tally(count) }
        object["rules"] = .object(rules)
        object["recipients"] = tally(comparison.recipientCount)
        object["recipients_with_more"] = number(comparison.changedRecipients.more)
        object["recipients_with_less"] = number(comparison.changedRecipients.less)
        named("more", comparison.gaining(10))
        named("less", comparison.losing(10))
        named("top", comparison.top(10))
        for (side, name) in [(RuleSide.live, "busiest_hour_live"), (.candidate, "busiest_hour_candidate")] {
            object[name] =
                comparison.busiestHour(side).map {
                    ["channel": .string($0.channel), "hour": .string(Self.time(of: $0)), "entries": number($0.count)]
                } ?? .null
        }
        object["new_columns"] = .array(
            newColumns.map { ["table": .string($0.table), "column": .string($0.column), "rule": .string($0.rule)] })
        faults("rejected", comparison.rejections)
        faults("failed", comparison.failures)
        var undecided = JSONObject()
        for (name, count) in comparison.undecided.sorted(by: { $0.key < $1.key }) { undecided[name] = tally(count) }
        object["undecided"] = .object(undecided)
        object["uncounted"] = number(comparison.uncounted)
        object["refused"] = .array(breaches.map { .string($0) })
        return JSONValue.object(object).text
    }
}

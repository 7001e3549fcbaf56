import Configuration
import JSON
import Linux
package import Messaging
import Pacing
import Store

/// What `hub off` asks for, read from its flags.
package struct SwitchOrder: Equatable {
    package let asked: Switch
    package let why: String

    /// - Parameters:
    ///   - until: RFC 3339.
    ///   - now: the time, from which `forTime` counts.
    package init(
        feature: String, scope: String, mode: String, every: String?, until: String?, forTime: String?, why: String,
        now: Timestamp = Timestamp(milliseconds: WallClock.now())
    ) throws(CommandFailure) {
        let feature = try Self.feature(feature)
        let scope = try Self.scope(scope)
        let pause = try every.map { text throws(CommandFailure) in
            guard mode == "slow" else { throw CommandFailure(.usage, "--every is for --mode slow") }
            guard let seconds = Duration(quantity: text)?.components.seconds, let count = Int(exactly: seconds),
                SwitchMode.slowSeconds.contains(count)
            else {
                let (least, most) = (SwitchMode.slowSeconds.lowerBound, SwitchMode.slowSeconds.upperBound)
                throw CommandFailure(.usage, "--every \(text): expected whole seconds from \(least)s to \(most)s")
            }
            return count
        }
        guard mode != "on", let mode = SwitchMode(name: mode, seconds: pause ?? Self.usualPause) else {
            throw CommandFailure(.usage, "--mode \(mode): expected off, store or slow")
        }
        guard feature.canWait || mode == .off else {
            throw CommandFailure(.usage, "\(feature.rawValue) can be off, and neither slow nor stored")
        }
        if case .context = scope, feature != .systemNotifications, feature != .directMessages {
            throw CommandFailure(.usage, "--for \(scope.text): concerns system-notifications and direct-messages")
        }
        if case .context = scope, feature == .directMessages, mode != .off {
            throw CommandFailure(.usage, "--for \(scope.text): direct-messages can be off, and neither slow nor stored")
        }
        let why = why.trimmed
        guard (1...500).contains(why.utf8.count) else { throw CommandFailure(.usage, "--why: expected a reason of at most 500 bytes") }
        self.why = why
        asked = Switch(feature, for: scope, mode, until: try Self.end(until, forTime, now))
    }

    private static let usualPause = 30

    package static func feature(_ text: String) throws(CommandFailure) -> SwitchedFeature {
        guard let feature = SwitchedFeature(rawValue: text) else {
            let names = SwitchedFeature.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(.usage, "there is no feature \(text); there are: \(names)")
        }
        return feature
    }

    package static func scope(_ text: String) throws(CommandFailure) -> SwitchScope {
        guard let scope = SwitchScope(text) else {
            throw CommandFailure(.usage, "--for \(text): expected system, institution:ID, category:ID, user:ID or another KIND:ID")
        }
        return scope
    }

    private static func end(_ until: String?, _ forTime: String?, _ now: Timestamp) throws(CommandFailure) -> Timestamp? {
        switch (until, forTime) {
        case (nil, nil): return nil
        case (.some, .some): throw CommandFailure(.usage, "--until and --for-time exclude each other")
        case (let text?, nil):
            guard let end = Timestamp(rfc3339: text) else {
                throw CommandFailure(.usage, "--until \(text): expected a time such as 2026-12-01T08:00:00+01:00")
            }
            guard end > now else { throw CommandFailure(.usage, "--until \(text): is in the past") }
            return end
        case (nil, let text?):
            guard let time = Duration(quantity: text), time > .zero, time <= longest else {
                throw CommandFailure(.usage, "--for-time \(text): expected a duration such as 30m or 2h, at most 365d")
            }
            return Timestamp(milliseconds: now.milliseconds + time.wholeMilliseconds)
        }
    }

    private static let longest: Duration = .seconds(365 * 86_400)
}

/// `hub off`, `hub on` and `hub switches`.
package struct SwitchInquiry {
    private let address: String
    private let table: SwitchTable

    package init(_ address: String, person: String) {
        self.address = address
        table = SwitchTable(address, person: person)
    }

    package func set(_ order: SwitchOrder) throws(CommandFailure) -> String {
        try use { () throws(MigrationError) in try table.set(order.asked, why: order.why) }
        return Self.sentence(of: order.asked)
    }

    static func sentence(of one: Switch) -> String {
        let state: String =
            switch one.mode {
            case .on: "on"
            case .off: "off"
            case .store: "stored only"
            case .slow(let seconds): "slow: pushed every \(seconds) s"
            }
        return "\(one.feature.rawValue) for \(one.scope.text): \(state), \(one.until.map { "until \($0.rfc3339)" } ?? "until hub on")"
    }

    package func remove(_ feature: String, for scope: String, why: String) throws(CommandFailure) -> String {
        let (feature, scope) = (try SwitchOrder.feature(feature), try SwitchOrder.scope(scope))
        let removal = try use { () throws(MigrationError) in try table.remove(feature, for: scope, why: why) }
        switch removal {
        case .removed: return "\(feature.rawValue) for \(scope.text): on"
        case .none: return "\(feature.rawValue) for \(scope.text): was on"
        case .excepted(let wider): return "\(feature.rawValue) for \(scope.text): on, as an exception from \(wider)"
        }
    }

    // MARK: hub switches

    package func lines(asJSON: Bool) throws(CommandFailure) -> [String] {
        let rows = try use { () throws(MigrationError) in try table.read() }
        return asJSON ? rows.map(Self.json) : Self.table(rows)
    }

    static func table(_ rows: [SwitchTable.Row]) -> [String] {
        guard !rows.isEmpty else { return ["everything is on"] }
        let heads = ["FEATURE", "SCOPE", "MODE", "UNTIL", "SINCE", "BY", "WHY"]
        let cells = [heads] + rows.map(Self.cells)
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { row in
            let padded = row.indices.dropLast().map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
            return (padded + row.suffix(1)).joined(separator: "  ")
        }
    }

    private static func cells(_ row: SwitchTable.Row) -> [String] {
        let mode = row.mode + (row.seconds.map { " \($0)s" } ?? "")
        return [row.feature, row.scope, mode, row.until ?? "-", row.setAt, row.setBy, row.why]
    }

    private static func json(_ row: SwitchTable.Row) -> String {
        var object = JSONObject()
        object["feature"] = .string(row.feature)
        object["scope"] = .string(row.scope)
        object["mode"] = .string(row.mode)
        object["every_seconds"] = row.seconds.map { .number(JSONNumber(Int64($0))) }
        object["until"] = row.until.map { .string($0) } ?? .null
        object["since"] = .string(row.setAt)
        object["by"] = .string(row.setBy)
        object["why"] = .string(row.why)
        return JSONValue.object(object).text
    }

    // MARK: Preview

    /// Whom the switch would concern now. Nothing is changed.
    package func preview(_ order: SwitchOrder, within limit: Duration) throws(CommandFailure) -> [String] {
        let answers = try use { () throws(MigrationError) in
            try NodeList.ask(address, .reach, subject: order.asked.scope.text, within: limit)
        }
        guard !answers.isEmpty else {
            throw CommandFailure(.unavailable, "no hub is on this database (hubs with bus: memory are not listed)")
        }
        return Self.preview(order.asked, answers)
    }

    static func preview(_ one: Switch, _ answers: [NodeList.Answer]) -> [String] {
        let answered = answers.filter(\.isAnswered)
        func sum(_ member: String) -> Int64 { answered.reduce(0) { $0 + ($1.object?[member]?.int64 ?? 0) } }
        var lines = ["nothing is changed; it would be: \(sentence(of: one))"]
        lines += answered.map { answer in
            "\(answer.node.name): \(answer.object?["users"]?.int64 ?? 0) people, \(answer.object?["sessions"]?.int64 ?? 0) sessions"
        }
        lines.append("in all: \(sum("users")) people, \(sum("sessions")) sessions; who is on two nodes counts twice")
        lines.append("\(answered.count) of \(answers.count) nodes answered")
        return lines
    }

    private func use<Result>(_ work: () throws(MigrationError) -> Result) throws(CommandFailure) -> Result {
        do throws(MigrationError) { return try work() } catch {
            throw CommandFailure(.unavailable, SwitchTable.isFull(error) ? "there are 1000 switches, which is the most" : "\(error)")
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        let start = drop { $0.isWhitespace }
        return String(String(start.reversed()).drop { $0.isWhitespace }.reversed())
    }
}

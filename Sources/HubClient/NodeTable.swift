import Configuration
import JSON
import Messaging
import Pacing
package import Store

/// `hub nodes`: the hubs on a database as a table, or a JSON object a line.
package enum NodeTable {
    package static func lines(_ nodes: [NodeList.Node]) -> [String] {
        let heads = ["NAME", "VERSION", "SINCE", "STATE", "SESSIONS", "LAG", "JOURNAL", "BUS", "SCHEMA"]
        let rows = [heads] + nodes.map(cells)
        let widths = heads.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let padded = row.indices.dropLast().map { row[$0] + String(repeating: " ", count: widths[$0] - row[$0].count) }
            return (padded + row.suffix(1)).joined(separator: "  ")
        }
    }

    private static func cells(_ node: NodeList.Node) -> [String] {
        [
            node.name, node.version, node.startedAt, state(of: node), String(node.sessions), node.lag.map { String($0) } ?? "-",
            node.journalMilliseconds.map { "\($0) ms" } ?? "-",
            node.bus.map { $0 + (node.hears == true ? "" : " (deaf)") } ?? "-", node.schema.map { String($0) } ?? "-",
        ]
    }

    static func state(of node: NodeList.Node) -> String {
        node.isHere ? node.stage ?? "here" : "not seen for \(node.secondsSinceSeen) s"
    }

    package static func json(_ nodes: [NodeList.Node]) -> [String] { nodes.map { JSONValue.object($0.object).text } }
}

/// What an operator asks hubs by way of the database: `hub drain` and `hub sessions`.
package struct NodeInquiry {
    private let address: String
    private let limit: Duration

    package init(_ address: String, within limit: Duration) {
        self.address = address
        self.limit = limit
    }

    // MARK: hub drain

    /// - Parameter over: nil: the hub decides.
    package func drain(_ name: String, over: Duration?, isUndone: Bool) throws(CommandFailure) -> String {
        let node = try Self.node(name, of: nodes())
        let answers = try ask(isUndone ? .undrain : .drain, over.map { "\($0.wholeMilliseconds)" } ?? "", of: node.id)
        guard let object = answers.first?.object else {
            throw CommandFailure(.unavailable, "\(node.name) has not answered within \(limit.quantity); hub nodes tells whether it drains")
        }
        if let reason = object["error"]?.string { throw CommandFailure(.failed, "\(node.name): \(reason)") }
        if isUndone { return "\(node.name) takes sessions again" }
        let window = Duration.milliseconds(object["window_ms"]?.int64 ?? 0).quantity
        return "\(node.name) drains: \(object["sessions"]?.int64 ?? 0) sessions are told within \(window), and it takes no new ones"
    }

    /// The hub of this name or id.
    static func node(_ name: String, of nodes: [NodeList.Node]) throws(CommandFailure) -> NodeList.Node {
        let named = nodes.filter { $0.name == name || $0.id == name }
        let here = named.filter(\.isHere)
        if here.count > 1 {
            let ids = here.map { "\($0.id) (since \($0.startedAt))" }.joined(separator: ", ")
            throw CommandFailure(.usage, "\(here.count) hubs are called \(name): use the id instead: \(ids)")
        }
        if let node = here.first { return node }
        if let last = named.min(by: { $0.secondsSinceSeen < $1.secondsSinceSeen }) {
            throw CommandFailure(
                .unavailable, "\(name) was last seen \(last.secondsSinceSeen) s ago: it has ended or cannot reach the database")
        }
        let known = nodes.filter(\.isHere).map(\.name)
        guard !known.isEmpty else {
            throw CommandFailure(.unavailable, "no hub is on this database (hubs with bus: memory are not listed)")
        }
        throw CommandFailure(.usage, "no hub is called \(name); there are: " + known.joined(separator: ", "))
    }

    // MARK: hub sessions

    package func sessions(of user: String, asJSON: Bool) throws(CommandFailure) -> [String] {
        let answers = try ask(.sessions, user, of: nil)
        guard !answers.isEmpty else {
            throw CommandFailure(.unavailable, "no hub is on this database (hubs with bus: memory are not listed)")
        }
        return asJSON ? [Self.json(answers)] : Self.lines(answers)
    }

    static func lines(_ answers: [NodeList.Answer]) -> [String] {
        var lines: [String] = []
        for answer in answers {
            for session in answer.object?["sessions"]?.array ?? [] {
                let (transport, id) = (session["transport"]?.string ?? "", session["id"]?.string ?? "")
                lines.append("\(answer.node.name)  \(transport)  \(id)  active \((session["idle_ms"]?.int64 ?? 0) / 1_000) s ago")
            }
        }
        return lines + [summary(of: answers)]
    }

    static func json(_ answers: [NodeList.Answer]) -> String {
        var sessions: [JSONValue] = []
        for answer in answers {
            for case .object(var session) in answer.object?["sessions"]?.array ?? [] {
                session["node"] = .string(answer.node.name)
                sessions.append(.object(session))
            }
        }
        let silent = answers.filter { !$0.isAnswered }
        var object = JSONObject()
        object["sessions"] = .array(sessions)
        object["asked"] = .number(JSONNumber(Int64(answers.count)))
        object["answered"] = .number(JSONNumber(Int64(answers.count - silent.count)))
        object["silent"] = .array(silent.map { .string($0.node.name) })
        return JSONValue.object(object).text
    }

    private static func summary(of answers: [NodeList.Answer]) -> String {
        let silent = answers.filter { !$0.isAnswered }
        let count = "\(answers.count - silent.count) of \(answers.count) nodes answered"
        return silent.isEmpty ? count : count + "; not: " + silent.map(\.node.name).joined(separator: ", ")
    }

    // MARK: Asking

    private func nodes() throws(CommandFailure) -> [NodeList.Node] {
        do throws(MigrationError) { return try NodeList.read(address) } catch { throw CommandFailure(.unavailable, "\(error)") }
    }

    private func ask(_ kind: NodeQuestion.Kind, _ subject: String, of node: String?) throws(CommandFailure) -> [NodeList.Answer] {
        do throws(MigrationError) {
            return try NodeList.ask(address, kind, subject: subject, of: node, within: limit)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }
}

extension NodeList.Answer {
    /// A version that does not know the question has answered nothing.
    var isAnswered: Bool { object != nil && object?["error"] == nil }
}

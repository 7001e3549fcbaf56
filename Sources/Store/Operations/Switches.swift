import Messaging
import Postgres
import StoreAPI

/// `switches` orders: all switches that are in force.
enum Switches: StoreOperation {
    static let statements: [Statement] = [.switches]
    static let lane = LaneName.reads
    // `SwitchWatch` has one order at a time.
    static let capacity = 1
    static let waitsWhileAway = false

    static func batch(of orders: [PendingOrder]) -> any Batch { SwitchBatch() }
}

struct SwitchBatch: Batch {
    var statements: [(statement: Statement, parameters: Parameters)] { [(.switches, Parameters())] }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let rows = rows.first else { return nil }
        var switches: [Switch] = []
        for row in 0..<rows.count {
            let until = rows.time(row, 4).map { Timestamp($0) }
            if let one = Switch(rows.text(row, 0), rows.text(row, 1), rows.text(row, 2), rows.int32(row, 3).map { Int($0) }, until) {
                switches.append(one)
            }
        }
        return BatchOutcome(replies: [.switches(Switchboard(switches, unknown: rows.count - switches.count))])
    }
}

extension Switch {
    /// As a row has it; nil when this version does not understand it.
    init?(_ feature: String?, _ scope: String?, _ mode: String?, _ seconds: Int?, _ until: Timestamp?) {
        guard let feature = feature.flatMap({ SwitchedFeature(rawValue: $0) }), let scope = scope.flatMap({ SwitchScope($0) }),
            let mode = mode.flatMap({ SwitchMode(name: $0, seconds: seconds) })
        else { return nil }
        self.init(feature, for: scope, mode, until: until)
    }
}

extension Statement {
    /// Returns feature, scope, mode, seconds and end of each switch in force, by the clock of the database.
    static let switches = Statement(
        name: "switches",
        sql: """
            select s.feature, s.scope, s.mode, s.every_seconds, s.until from hub.switch s
            where s.feature > '' and (s.until is null or s.until > now())
            order by s.feature, s.scope limit \(Switchboard.most)
            """)
}

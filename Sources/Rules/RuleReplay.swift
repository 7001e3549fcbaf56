internal import JSON
public import Messaging

/// Which events of one rule are to be sent later, because an outage or a missing rule left them out: those of rows that are still in the
/// rule's state. It reads the changes from the range on to the newest one, so that a row that has left the state notifies nobody.
///
/// It keeps a position for each row that the rule had an effect on: the caller bounds the number of changes.
public struct RuleReplay: Sendable {
    /// An event as the intake would have made it.
    public struct Event: Equatable, Sendable {
        public let rule: String
        /// Empty for a row without a key.
        public let row: String
        public let id: String
        /// In the hub's own JSON.
        public let json: [UInt8]
        public let position: ChangePosition
        public let record: RecordOrigin

        public var source: String { "rule:" + rule }

        /// Milliseconds since 1970; nil: never.
        public var expiresAt: Int64? { members["expiresAt"]?.int64 }

        private var members: JSONObject { (try? JSONValue.parse(json))?.object ?? JSONObject() }

        /// The event with the identity that the intake would have given it, so that one that is stored is recognized, and with its row, so
        /// that a later change of the row takes it back.
        public var cloudEvent: [UInt8] {
            let members = members
            var event = JSONObject()
            event["specversion"] = "1.0"
            event["id"] = .string(id)
            event["source"] = .string(source)
            event["type"] = members["type"]
            if !row.isEmpty { event["hubrow"] = .string(row) }
            event["data"] = .object(members)
            var bytes: [UInt8] = []
            event.write(into: &bytes)
            return bytes
        }
    }

    public let rule: String
    /// Events of the range.
    public private(set) var made = 0
    /// Of these: the row has left the state since, or was deleted.
    public private(set) var ended = 0
    /// Of these: a later event of the row replaced it.
    public private(set) var replaced = 0
    /// Of these: the rule failed or was undecided for a later change of the row, so its state is not known.
    public private(set) var uncertain = 0
    /// Changes of the range for which the rule failed, with one text.
    public private(set) var failures: (count: Int, example: String) = (0, "")
    public private(set) var undecided = 0
    /// Changes that the connector sent again.
    public private(set) var repeated = 0
    private var pending: [String: Event] = [:]
    private var newest: [String: ChangePosition] = [:]
    private var withoutRow: [Event] = []
    private var idsWithoutRow: Set<String> = []

    public init(rule: String) { self.rule = rule }

    /// - Parameters:
    ///   - row: the row of the change; nil without a key.
    ///   - isInRange: false for a change after the range.
    public mutating func add(
        _ outcome: RuleOutcome, of row: String?, at position: ChangePosition, in record: RecordOrigin, isInRange: Bool
    ) {
        let failure = outcome.failures.first { $0.rule == rule }
        let isUndecided = outcome.undecided.contains(rule)
        if isInRange {
            if let failure { failures = (failures.count + 1, failures.count == 0 ? failure.detail : failures.example) }
            if isUndecided { undecided += 1 }
        }
        let made = outcome.events.first { $0.rule == rule }.map {
            Event(rule: rule, row: $0.row, id: $0.id, json: $0.json, position: position, record: record)
        }
        let retracts = outcome.retractions.contains { $0.rule == nil || $0.rule == rule }
        guard made != nil || retracts || failure != nil || isUndecided else { return }
        guard let row else {
            if let made, isInRange {
                guard idsWithoutRow.insert(made.id).inserted else {
                    repeated += 1
                    return
                }
                self.made += 1
                withoutRow.append(made)
            }
            return
        }
        if let known = newest[row], !position.isNewer(than: known) {
            repeated += 1
            return
        }
        newest[row] = position
        if pending.removeValue(forKey: row) != nil {
            if made != nil { replaced += 1 } else if retracts { ended += 1 } else { uncertain += 1 }
        }
        guard let made, isInRange else { return }
        self.made += 1
        pending[row] = made
    }

    /// The events that are left, in the order of their changes.
    public var events: [Event] {
        (Array(pending.values) + withoutRow).sorted { a, b in
            (a.position.time, a.position.lsn, a.id) < (b.position.time, b.position.lsn, b.id)
        }
    }
}

import ChangeCapture
package import Kafka
package import Messaging
package import Rules

/// What the intake would do with records of change data capture under some rules, without doing it.
package struct RuleRehearsal {
    private var judge: ChangeJudge

    package init(_ rules: RuleSet) { judge = ChangeJudge(events: EventDecoder(), rules: rules) }

    package mutating func effects(of record: KafkaRecord) -> RecordEffects {
        let (judged, findings) = judge.judge(record)
        var effects = RecordEffects()
        // Events of the outbox are no rule's.
        for draft in judged.drafts where draft.source.hasPrefix(Self.ruleSource) {
            effects.entries.append(
                RecordEffects.Entry(
                    rule: String(draft.source.dropFirst(Self.ruleSource.count)), id: draft.id, channel: draft.channel.storedName))
        }
        effects.retractions = judged.retractions.count
        effects.failures = findings.failures
        effects.undecided = findings.undecided
        if findings.failures.isEmpty, case .dead(let cause) = judged.judgement {
            effects.rejection = RecordEffects.Rejection(reason: cause.reason, detail: cause.detail ?? "")
        }
        return effects
    }

    /// A change of a row, and what the rules make of it.
    package struct RehearsedChange {
        package let outcome: RuleOutcome
        /// Nil for a table without a key.
        package let row: String?
        package let position: ChangePosition
    }

    /// For a replay. Nil: the record is no change of a row, or has no position, so that a rule can have no effect by it.
    package mutating func change(in record: KafkaRecord) -> RehearsedChange? {
        guard let (change, outcome) = judge.outcome(of: record), let position = change.source.position else { return nil }
        return RehearsedChange(outcome: outcome, row: CausingRow.text(of: change), position: position)
    }

    private static let ruleSource = "rule:"
}

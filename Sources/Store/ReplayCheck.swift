import JSON
package import Messaging
import Postgres

/// What the database already has of events that are to be sent again.
package enum ReplayCheck {
    package struct Event: Equatable, Sendable {
        package let source: String
        package let id: String
        /// Empty: none.
        package let row: String
        package let rule: String
        package let position: ChangePosition
        package let channels: [Channel]
        /// The collapse key; nil: none.
        package let collapse: String?

        package init(
            source: String, id: String, row: String, rule: String, position: ChangePosition, channels: [Channel], collapse: String? = nil
        ) {
            (self.source, self.id, self.row, self.rule) = (source, id, row, rule)
            (self.position, self.channels, self.collapse) = (position, channels, collapse)
        }
    }

    package enum Finding: Equatable, Sendable {
        case missing
        /// All of its channels have the entry, or had it.
        case stored
        /// A newer change of the row had an effect.
        case overtaken
        /// Another change of the row made an entry of the rule that is still valid.
        case present
        /// One of its channels has a newer entry with the same collapse key, which the event would replace.
        case replaced
    }

    /// Blocks. One finding for each event.
    package static func look(_ address: String, _ events: [Event]) throws(MigrationError) -> [Finding] {
        guard !events.isEmpty else { return [] }
        let asked = JSONValue.array(
            events.map { event in
                func number(_ value: Int64) -> JSONValue { .number(JSONNumber(value)) }
                return [
                    "source": .string(event.source), "id": .string(event.id), "cause": .string(event.row), "rule": .string(event.rule),
                    "commit_lsn": number(event.position.commit), "lsn": number(event.position.lsn),
                    "changed": number(event.position.time.milliseconds), "channels": .array(event.channels.map { .string($0.storedName) }),
                    "collapse": event.collapse.map { .string($0) } ?? .null,
                ]
            })
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub rules replay")
            let rows = try connection.execute(sql, [asked.text])
            guard rows.count == events.count else { throw PostgresError(message: "the database answered for other events") }
            return rows.map { row in
                if row[0] == "t" { return .stored }
                if row[1] == "t" { return .overtaken }
                if row[2] == "t" { return .present }
                return row[3] == "t" ? .replaced : .missing
            }
        } catch {
            throw .unreachable(error)
        }
    }

    /// Whether a change is newer: the same as `ChangePosition.isNewer`.
    private static let sql = """
        select
            (
                select count(*) >= jsonb_array_length(a.channels)
                from jsonb_array_elements_text(a.channels) n (name)
                join hub.channel c on c.name = n.name collate "C"
                join hub.entry e on e.channel_id = c.id and e.source = a.source collate "C" and e.source_id = a.id collate "C"
            ),
            a.cause <> '' and exists (
                select from hub.row_change w
                where w.origin = a.cause collate "C" and (
                    w.changed_at > to_timestamp(a.changed / 1000.0)
                    or case when w.commit_lsn > 0 and a.commit_lsn > 0 then (w.commit_lsn, w.lsn) > (a.commit_lsn, a.lsn) else w.lsn > a.lsn end
                )
            ),
            a.cause <> '' and exists (
                select from hub.entry e
                where e.cause = a.cause collate "C" and e.rule = a.rule collate "C" and e.retracted_at is null
                    and not (e.source = a.source collate "C" and e.source_id = a.id collate "C")
            ),
            a.collapse is not null and exists (
                select from jsonb_array_elements_text(a.channels) n (name)
                join hub.channel c on c.name = n.name collate "C"
                join hub.entry e on e.channel_id = c.id and e.collapse_key = a.collapse collate "C" and e.retracted_at is null
                where e.created_at > to_timestamp(a.changed / 1000.0)
            )
        from rows from (
            jsonb_to_recordset($1::jsonb) as (
                source text, id text, cause text, rule text, commit_lsn int8, lsn int8, changed int8, channels jsonb, collapse text
            )
        ) with ordinality a (source, id, cause, rule, commit_lsn, lsn, changed, channels, collapse, ordinal)
        order by a.ordinal
        """
}

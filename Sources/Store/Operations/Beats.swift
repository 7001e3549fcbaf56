import JSON
import Messaging
import Pacing
import Postgres
import StoreAPI

/// `beat` orders: a hub says that it works on the database and how it is, learns of the others and what it is asked, and removes rows of the
/// journal that all have read.
enum Beats: StoreOperation {
    static let statements: [Statement] = [.beat]
    static let lane = LaneName.cursors
    // `NodeBeat` has one order at a time, and one more when it leaves.
    static let capacity = 1
    static let waitsWhileAway = false

    /// Rows of the journal that one beat looks at. A hub writes a few hundred in the time between two beats.
    static let mostRemoved = 2_000
    /// New sessions a second of a hub whose version does not tell.
    static let usualRoom = 500

    static func batch(of orders: [PendingOrder]) -> any Batch { BeatBatch(orders) }
}

struct BeatBatch: Batch {
    private var report = NodeReport(node: NodeIdentity(id: "", name: "", version: ""))

    init(_ orders: [PendingOrder]) {
        for pending in orders {
            guard case .beat(let report) = pending.order.request else {
                assertionFailure("not a beat order")
                continue
            }
            self.report = report
        }
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        var parameters = Parameters()
        for text in [report.node.id, report.node.name, report.node.version] { parameters.append(text) }
        parameters.append(Int64(report.state.sessions))
        parameters.append(JSONValue.object(report.state.object).text)
        parameters.append(report.answers.map(\.question))
        parameters.append(report.answers.map(\.text))
        parameters.append(report.isLeaving)
        return [(.beat, parameters)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard let found = rows.first, let others = found.int64(0, 0), let room = found.int64(0, 1) else { return nil }
        var news = NodeNews(others: Int(others), room: Int(room))
        for row in 0..<found.count {
            guard let id = found.int64(row, 2) else { continue }
            let kind = found.text(row, 3).flatMap { NodeQuestion.Kind(rawValue: $0) }
            news.questions.append(NodeQuestion(id: id, kind: kind, subject: found.text(row, 4) ?? ""))
        }
        return BatchOutcome(replies: [.nodes(news)])
    }
}

extension NodeState {
    /// As in `hub.node.state`; the sessions have a column.
    var object: JSONObject {
        var object = JSONObject()
        object["stage"] = .string(stage.rawValue)
        object["takes"] = .number(JSONNumber(Int64(takes)))
        object["lag"] = lag.map { .number(JSONNumber(Int64($0))) }
        object["journal_ms"] = journalAge.map { .number(JSONNumber($0.wholeMilliseconds)) }
        object["bus"] = .string(bus)
        object["hears"] = .bool(hears)
        object["schema"] = .number(JSONNumber(Int64(schema)))
        object["codec"] = .string(codec)
        return object
    }
}

extension Statement {
    private static let isOld = "o.noted_at < now() - interval '5 minutes'"

    /// $1 id, $2 name, $3 version, $4 sessions and $5 state of this hub, $6 questions and $7 its answers, $8 whether it leaves. Returns how many
    /// other hubs were seen in the last ten seconds, how many sessions a second they take, and the questions to this hub, a row each (one row
    /// without a question when there is none).
    ///
    /// The oldest rows of the journal are at the left edge of its index. Rows that another hub is removing are left to it. A hub that has
    /// not been seen for an hour is forgotten.
    static let beat = Statement(
        name: "beat",
        sql: """
            with seen as (
                insert into hub.node (id, name, version, started_at, seen_at, sessions, state)
                select $1::text, $2::text, $3::text, now(), now(), $4::int8, $5::text::jsonb where not $8::bool
                on conflict (id) do update set seen_at = excluded.seen_at, sessions = excluded.sessions, state = excluded.state
            ), answered as (
                update hub.question q set answers = q.answers || jsonb_build_object($1::text, a.answer::jsonb)
                from unnest($6::int8[], $7::text[]) a (question, answer)
                where q.id = a.question and q.until > now()
            ), ended as (
                delete from hub.question q where q.id > 0 and q.until < now() - interval '1 minute'
            ), removed as (
                delete from hub.journal j
                using (
                    select o.place from (
                        select j.ctid as place, j.noted_at from hub.journal j
                        where exists (
                            select from (select j.noted_at from hub.journal j order by j.transaction limit 1) o where \(isOld)
                        )
                        order by j.transaction limit \(Beats.mostRemoved) for update skip locked
                    ) o
                    where \(isOld)
                ) o
                where j.ctid = o.place
            ), forgotten as (
                delete from hub.node n
                where n.id > '' and (
                    n.id <> $1::text collate "C" and n.seen_at < now() - interval '1 hour' or n.id = $1::text collate "C" and $8::bool
                )
            )
            select o.others, o.room, q.id, q.kind, q.subject
            from (
                select count(*) as others, coalesce(sum(
                    coalesce((n.state ->> 'takes')::int8, \(Beats.usualRoom))
                ) filter (where coalesce(n.state ->> 'stage', 'serving') = 'serving'), 0)::int8 as room
                from hub.node n where n.id > '' and n.id <> $1::text collate "C" and n.seen_at > now() - interval '10 seconds'
            ) o
            left join lateral (
                select q.id, q.kind, q.subject from hub.question q
                where q.id > 0 and q.until > now() and coalesce(q.node = $1::text collate "C", true)
                    and not q.answers ? $1::text and q.id <> all ($6::int8[])
                order by q.id limit 16
            ) q on not $8::bool
            """)
}

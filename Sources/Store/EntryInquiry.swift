import Messaging
import Postgres

/// What the database knows of an entry, for operators: where it came from, who has it, and what became of it. Entries are found by their id in
/// every channel, which reads the whole of `hub.entry`, because an index would cost each stored entry more than the rare question is worth.
package enum EntryInquiry {
    package struct Question: Equatable, Sendable {
        /// The id that clients see; several entries may have it.
        package var id: String?
        /// As the store names it, such as `inbox:alice`.
        package var channel: String?
        package var seq: UInt64?
        /// Of the people in a channel that many follow, only this one.
        package var user: String?
        /// Most entries, and most people of each, that are told one by one.
        package var most = 20

        package init() {}
    }

    package struct Answer: Equatable, Sendable {
        package var entries: [FoundEntry]
        /// All entries that fit the question.
        package var total: Int
    }

    package enum Failure: Error, Equatable, Sendable {
        case database(MigrationError)
        /// The search took longer than it may.
        case tooSlow
        case noSuchChannel
        /// The channel's first and last number.
        case noSuchEntry(first: UInt64, last: UInt64)
        case unknown
    }

    /// Blocks, for at most about `limit` and the time to connect.
    package static func ask(_ address: String, _ question: Question, within limit: Duration) throws(Failure) -> Answer {
        let found: Result<Answer, Failure>
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub why")
            let milliseconds = max(1, limit.components.seconds * 1_000)
            try connection.execute("set statement_timeout = \(milliseconds); set default_transaction_read_only = on; set timezone = 'UTC'")
            found = try answer(question, connection)
        } catch {
            throw error.sqlState == "57014" ? .tooSlow : .database(.unreachable(error))
        }
        return try found.get()
    }

    private static func answer(
        _ question: Question, _ connection: BlockingConnection
    ) throws(PostgresError) -> Result<Answer, Failure> {
        var parameters: [String] = []
        func parameter(_ text: String) -> String {
            parameters.append(text)
            return "$\(parameters.count)"
        }
        var conditions: [String] = []
        if let id = question.id { conditions.append("e.source_id = \(parameter(id)) collate \"C\"") }
        if let channel = question.channel { conditions.append("c.name = \(parameter(channel)) collate \"C\"") }
        if let seq = question.seq { conditions.append("e.seq = \(parameter(String(seq)))::int8") }
        if conditions.isEmpty { conditions.append("false") }
        let rows = try connection.execute(found(conditions.joined(separator: " and "), most: question.most), parameters)
        guard let total = rows.first?.last.flatMap({ $0 }).flatMap({ Int($0) }) else {
            return .failure(try absence(question, connection))
        }
        var entries: [FoundEntry] = []
        for row in rows {
            guard var entry = FoundEntry(row), let id = row[0] else { continue }
            try tellPeople(of: &entry, inChannel: id, question, connection)
            entries.append(entry)
        }
        return .success(Answer(entries: entries, total: total))
    }

    private static func absence(_ question: Question, _ connection: BlockingConnection) throws(PostgresError) -> Failure {
        guard let channel = question.channel else { return .unknown }
        let rows = try connection.execute("select first_seq, last_seq from hub.channel where name = $1 collate \"C\"", [channel])
        guard let row = rows.first, let first = row[0].flatMap({ UInt64($0) }), let last = row[1].flatMap({ UInt64($0) }) else {
            return .noSuchChannel
        }
        return question.seq == nil ? .unknown : .noSuchEntry(first: first, last: last)
    }

    /// `record` by way of JSON: the column is missing before migration 15.
    private static func found(_ condition: String, most: Int) -> String {
        """
        with found as materialized (
            select e.*, c.name as channel, c.kind as channel_kind, count(*) over () as total
            from hub.entry e join hub.channel c on c.id = e.channel_id
            where \(condition) order by e.created_at, c.name, e.seq limit \(max(1, most))
        )
        select e.channel_id, e.channel, e.seq, e.kind, e.event_type, e.priority, e.form, e.source, e.source_id, e.sender, e.rule, e.cause,
            to_jsonb(e) ->> 'record', \(utc("e.created_at")), \(utc("e.expires_at")), \(utc("e.retracted_at")), e.receipt_required,
            t.cause, t.sender, n.seq, e.total
        from found e
        left join lateral (
            select r.cause, r.sender from hub.entry r
            where e.retracted_at is not null and r.channel_id = e.channel_id and r.kind = 'retraction'
                and (r.source = '' and r.source_id = 'retraction:' || e.seq or r.sender = e.sender and r.content ->> 'refers' = e.seq::text)
            limit 1
        ) t on true
        left join lateral (
            select n.seq from hub.entry n
            where e.retracted_at is not null and e.collapse_key is not null and n.channel_id = e.channel_id and n.seq > e.seq
                and n.collapse_key = e.collapse_key collate "C"
            order by n.seq limit 1
        ) n on true
        order by e.created_at, e.channel, e.seq
        """
    }

    private static func utc(_ time: String) -> String { "to_char(\(time) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')" }

    // MARK: People

    private static func tellPeople(
        of entry: inout FoundEntry, inChannel id: String, _ question: Question, _ connection: BlockingConnection
    ) throws(PostgresError) {
        let seq = String(entry.seq)
        var parameters = [id, seq]
        let people: String
        if entry.channel.hasPrefix("inbox:") {
            parameters.append(String(entry.channel.dropFirst("inbox:".count)))
            people = "select $3 collate \"C\" as user_id"
        } else if let user = question.user {
            parameters.append(user)
            people = "select $3 collate \"C\" as user_id"
        } else if entry.channel.hasPrefix("conversation:") {
            people = "select m.user_id from hub.member m where m.channel_id = $1::int8"
        } else {
            // Everybody who follows a broadcast is known to no table; receipts are those of formal notices.
            people = "select r.user_id from hub.receipt r where r.channel_id = $1::int8 and r.seq = $2::int8"
        }
        let rows = try connection.execute(
            """
            select p.user_id, coalesce(k.delivered >= $2::int8, false), coalesce(k.seen >= $2::int8, false),
                coalesce(k.read >= $2::int8 or k.read_set @> $2::int8, false), \(utc("k.updated_at")), \(utc("r.delivered_at")),
                \(utc("r.read_at")), coalesce(p.user_id = any (e.hidden_from), false), count(*) over ()
            from (\(people)) p
            join hub.entry e on e.channel_id = $1::int8 and e.seq = $2::int8
            left join hub.cursor k on k.user_id = p.user_id and k.channel_id = $1::int8
            left join hub.receipt r on r.channel_id = $1::int8 and r.seq = $2::int8 and r.user_id = p.user_id
            order by p.user_id limit \(max(1, question.most))
            """, parameters)
        entry.people = rows.map { row in
            FoundEntry.Person(
                user: row[0] ?? "", isDelivered: row[1] == "t", isSeen: row[2] == "t", isRead: row[3] == "t", movedAt: row[4],
                deliveredAt: row[5], readAt: row[6], isHidden: row[7] == "t")
        }
        entry.peopleInAll = rows.first?.last.flatMap { $0 }.flatMap { Int($0) } ?? 0
        guard entry.channel.hasPrefix("broadcast:"), question.user == nil else { return }
        do throws(PostgresError) {
            // Reads the whole table: its key begins with the user.
            let counts = try connection.execute(
                """
                select count(*) filter (where k.delivered >= $2::int8), count(*) filter (where k.seen >= $2::int8),
                    count(*) filter (where k.read >= $2::int8 or k.read_set @> $2::int8)
                from hub.cursor k where k.channel_id = $1::int8
                """, [id, seq])
            let numbers = (counts.first ?? []).compactMap { $0.flatMap { Int($0) } }
            if numbers.count == 3 { entry.counts = .init(delivered: numbers[0], seen: numbers[1], read: numbers[2]) }
        } catch {
            // It took too long: everything else is told.
            guard error.sqlState == "57014" else { throw error }
        }
    }
}

/// One entry in one channel. More than twelve stored properties: one for each column that is told.
package struct FoundEntry: Equatable, Sendable {
    package struct Person: Equatable, Sendable {
        package let user: String
        /// By the position of the user in the channel.
        package let isDelivered: Bool
        package let isSeen: Bool
        package let isRead: Bool
        /// When the position last changed, perhaps for another entry; nil: none of the user's clients has told one.
        package let movedAt: String?
        /// Of a formal notice only.
        package let deliveredAt: String?
        package let readAt: String?
        /// The user had blocked the sender.
        package let isHidden: Bool
    }

    package struct Counts: Equatable, Sendable {
        package let delivered: Int
        package let seen: Int
        package let read: Int
    }

    package let channel: String
    package let seq: UInt64
    package let kind: String
    package let eventType: String
    package let priority: String
    package let form: String
    package let source: String
    package let id: String
    package let sender: String?
    package let rule: String?
    /// The row, as `CausingRow.text`.
    package let cause: String?
    /// `topic/partition/offset`.
    package let record: String?
    package let createdAt: String
    package let expiresAt: String?
    package let retractedAt: String?
    package let needsReceipt: Bool
    /// What the entry that tells of the retraction says: the row or event, or the author.
    package let retractedBy: String?
    package let isDeletedByAuthor: Bool
    /// The entry with the same collapse key that came next.
    package let replacedBy: UInt64?
    package var people: [Person] = []
    package var peopleInAll = 0
    /// Of a broadcast; nil: they could not be counted in time, or were not asked for.
    package var counts: Counts?

    /// From a row of the inquiry's statement.
    init?(_ row: [String?]) {
        guard row.count == 21, let channel = row[1], let seq = row[2].flatMap({ UInt64($0) }), let createdAt = row[13] else { return nil }
        self.channel = channel
        self.seq = seq
        (kind, eventType, priority, form) = (row[3] ?? "", row[4] ?? "", row[5] ?? "", row[6] ?? "")
        (source, id, sender, rule, cause, record) = (row[7] ?? "", row[8] ?? "", row[9], row[10], row[11], row[12])
        (self.createdAt, expiresAt, retractedAt, needsReceipt) = (createdAt, row[14], row[15], row[16] == "t")
        (retractedBy, isDeletedByAuthor, replacedBy) = (row[17], row[18] != nil, row[19].flatMap { UInt64($0) })
    }
}

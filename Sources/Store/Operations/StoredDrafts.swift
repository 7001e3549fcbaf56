import Messaging
import Postgres

extension Parameters {
    /// The columns of drafts, $2 to $16.
    mutating func append<Element>(entriesOf drafts: [Element], _ draft: (Element) -> EntryDraft) {
        texts { texts in for element in drafts { texts.add(draft(element).channel) } }
        texts { texts in for element in drafts { texts.add(draft(element).source) } }
        texts { texts in for element in drafts { texts.add(draft(element).id) } }
        texts { texts in for element in drafts { texts.add(draft(element).kind.rawValue) } }
        texts { texts in for element in drafts { texts.add(draft(element).eventType) } }
        texts { texts in for element in drafts { texts.add(draft(element).priority.rawValue) } }
        texts { texts in for element in drafts { texts.add(draft(element).form.rawValue) } }
        texts { texts in for element in drafts { texts.add(draft(element).sender?.name) } }
        texts { texts in for element in drafts { texts.add(draft(element).content) } }
        texts { texts in for element in drafts { texts.add(draft(element).group) } }
        texts { texts in for element in drafts { texts.add(draft(element).collapse) } }
        append(drafts.map { draft($0).expiresAt?.stored })
        append(drafts.map { draft($0).receiptRequired })
        texts { texts in for element in drafts { texts.add(draft(element).trace) } }
        append(drafts.map { draft($0).replyTo?.stored })
    }

    /// The records that drafts of events came from, as `hub.entry.record` has them.
    mutating func append<Element>(recordsOf drafts: [Element], _ draft: (Element) -> EntryDraft) {
        texts { texts in
            for element in drafts {
                if let record = draft(element).record {
                    texts.add(record.topic, "/\(record.partition)/\(record.offset)")
                } else {
                    texts.add(nil)
                }
            }
        }
    }

    /// The positions of records, $17 to $22.
    mutating func append(_ positions: [IngestPosition]) {
        append(positions.map(\.topic))
        append(positions.map(\.partition))
        append(positions.map(\.offset))
        append(positions.map(\.after))
        append(positions.map(\.group))
        append(positions.map(\.takesOver))
    }
}

extension TextElements {
    mutating func add(_ channel: Channel) {
        let name = channel.storedParts
        add(name.prefix, name.name)
    }
}

extension IngestPosition {
    func isOfSamePartition(as other: IngestPosition) -> Bool {
        partition == other.partition && topic == other.topic && group == other.group
    }
}

/// The parts that the statements for messages and for events have in common.
extension Clause {
    /// The drafts, $1 to $16, as rows.
    static let drafts = drafts(more: "", named: "")

    /// - Parameter more: arrays with more columns.
    static func drafts(more: String, named names: String) -> String {
        """
        draft as materialized (
            select * from unnest(
                $1::int8[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::bool[], $15::text[], $16::int8[]\(more)
            ) with ordinality d (
                most_unanswered, channel, source, source_id, kind, event_type, priority, form, sender,
                content, group_key, collapse_key, expires_at, receipt_required, trace, reply_to\(names), ordinal
            )
        )
        """
    }

    /// Which of the drafts in `target` are admitted, and which of these are stored already. Of several with one key the first is new.
    ///
    /// `lateral` and `limit 1` make the planner look up the whole key. A join that was planned while the table was empty would read the
    /// whole channel for each draft.
    static let knownDrafts = """
        judged as (
            select t.*, t.allowed and t.answers as admitted from target t
        ), known as (
            select t.*, e.seq as known_seq, e.created_at as known_at,
                case when e.seq is null then t.hides else e.hidden_from end as hidden_from,
                t.admitted and e.seq is null and row_number() over (
                    partition by t.channel_id, t.source collate "C", t.source_id collate "C", t.admitted order by t.ordinal
                ) = 1 as fresh
            from judged t
            left join lateral (
                select e.seq, e.created_at, e.hidden_from from hub.entry e
                where e.channel_id = t.channel_id and e.source = t.source collate "C" and e.source_id = t.source_id collate "C"
                limit 1
            ) e on true
        )
        """

    /// The numbers of the drafts in `numbered`. One without a number, and the later ones with its key, is refused.
    static let sequencedDrafts = """
        sequenced as materialized (
            select n.*, clock.stamp, coalesce(n.known_seq, first_value(n.next_seq) over (
                    partition by n.channel_id, n.source collate "C", n.source_id collate "C", n.admitted order by n.ordinal
                )) as seq
            from numbered n, (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
        )
        """
}

/// The parts that the two statements for events have in common.
extension Clause {
    /// The positions of records, $17 to $22, and whether they may not be stored.
    static let reachedPositions = """
        reached as materialized (
            select a.*, \(Clause.storedPosition) as stored, \(Clause.positionOwner) as owner
            from unnest($17::text[], $18::int4[], $19::int8[], $20::int8[], $21::text[], $22::bool[])
                with ordinality a (topic, partition, position, after, consumer_group, takes_over, ordinal)
        ), lack as materialized (
            select coalesce(bool_or(
                    coalesce(r.stored, -1) < r.after or not r.takes_over and r.owner <> \(Clause.node)
                ), false) as is_behind
            from reached r
        )
        """

    /// The new drafts of `sequenced` that have a collapse key, and which of them replace others of them.
    static let collapsing = """
        collapsing as materialized (
            select s.channel_id, s.seq, s.collapse_key, s.stamp,
                lead(s.seq) over same is not null as is_replaced, lag(s.seq) over same is not null as replaces
            from sequenced s where s.is_new and s.collapse_key is not null
            window same as (partition by s.channel_id, s.collapse_key collate "C" order by s.seq)
        )
        """

    /// Retracts the entries that the drafts of `collapsing` replace.
    /// - Parameter condition: of the row `e`.
    static func replaced(where condition: String = "true") -> String {
        """
        replaced as (
            update hub.entry e set retracted_at = h.stamp
            from (
                select h.place, g.seq, g.stamp
                from collapsing g
                cross join lateral (
                    select e.ctid as place from hub.entry e
                    where e.channel_id = g.channel_id and e.collapse_key = g.collapse_key collate "C" and e.retracted_at is null
                        and \(condition)
                    limit 100
                ) h
                where not g.is_replaced
            ) h
            where e.ctid = h.place
            returning e.channel_id, h.seq
        )
        """
    }

    /// The drafts that have replaced entries or other drafts.
    static let replacing = """
        replacing as (
            select g.channel_id, g.seq from collapsing g where g.replaces union all select r.channel_id, r.seq from replaced r
        )
        """

    /// Stores the positions of `reached`.
    /// - Parameter judgement: the clause that says whether they may not be.
    static func movedPositions(_ judgement: String = "lack") -> String {
        """
        moved as (
            insert into hub.intake_position (consumer_group, topic, partition, position, updated_at, owner)
            select r.consumer_group, r.topic, r.partition, r.position, now(), \(Clause.node)
            from \(judgement) l cross join reached r where not l.is_behind
            order by r.consumer_group collate "C", r.topic collate "C", r.partition
            on conflict (consumer_group, topic, partition) do update
            set position = excluded.position, updated_at = excluded.updated_at, owner = excluded.owner
        )
        """
    }

    /// Events show a conversation to all of its members again.
    static let listedByEvents = """
        listed as (
            update hub.member m set active_at = n.stamp, hidden_after = null
            from (
                select channel_id, max(stamp) as stamp from sequenced where is_new and channel_kind = 'conversation'
                group by channel_id order by channel_id
            ) n
            where m.channel_id = n.channel_id
        )
        """
}

import Bus
import Messaging
import Postgres
import StoreAPI

/// An `ingest` order that retracts or has drafts with a cause. One transaction stores its drafts and positions, because a part of it would
/// not be recognized when it runs again: a retraction would take the drafts back that follow it.
///
/// A retraction of many entries is carried out by several transactions, so that users do not wait long. The last of them stores the rest of
/// the order.
struct RetractingBatch: Batch {
    /// Most entries that one transaction takes back, about.
    static let entries = 2_000
    /// So that a slice gets on with each retraction.
    static let leastEntries = 4

    private let order: PendingOrder
    private var drafts: [EntryDraft] = []
    private var retractions: [Retraction] = []
    private var positions: [IngestPosition] = []
    private let settled: SettledRequest
    private let mostEntries: Int64

    static func isNeeded(for request: StoreRequest) -> Bool {
        guard case .ingest(let drafts, _, let retractions) = request else { return false }
        return !retractions.isEmpty || drafts.contains { $0.cause != nil }
    }

    init(_ order: PendingOrder, entries: Int = entries) {
        self.order = order
        if case .ingest(let drafts, let positions, let retractions) = order.order.request {
            (self.drafts, self.retractions, self.positions) = (drafts, retractions, positions)
        } else {
            assertionFailure("not an ingest order")
        }
        settled = SettledRequest(drafts, retractions)
        mostEntries = Int64(max(Self.leastEntries, entries / max(1, settled.retractions.count)))
    }

    var statements: [(statement: Statement, parameters: Parameters)] {
        let drafts = settled.drafts.map { self.drafts[$0] }
        let retractions = settled.retractions.map { self.retractions[$0] }
        var channels = Parameters()
        channels.append(drafts.map(\.channel.storedName))
        var locks = Parameters()
        locks.append(drafts.map(\.channel.storedName) + retractions.compactMap { $0.channel?.storedName })
        locks.append(retractions.map(\.cause?.row))
        locks.append(retractions.map(\.cause?.rule))
        locks.append(retractions.map { _ in mostEntries })

        var content = Parameters()
        content.append(drafts.map { _ in Int64?.none })
        content.append(entriesOf: drafts) { $0 }
        content.append(positions)
        let changes = drafts.map(\.cause?.change)
        content.append(drafts.map(\.cause?.row))
        content.append(drafts.map(\.cause?.rule))
        content.append(changes)
        content.append(settled.drafts.map { Int64(2 * $0 + 1) })
        content.append(retractions.map(\.cause?.row))
        content.append(retractions.map(\.cause?.rule))
        content.append(retractions.map { $0.channel?.storedName })
        content.append(retractions.map(\.event?.source))
        content.append(retractions.map(\.event?.id))
        content.append(retractions.map(\.group))
        content.append(retractions.map(\.origin))
        content.append(retractions.map(\.change))
        content.append(zip(retractions, settled.hasTaken).map { $0.isOfGroup || $1 })
        content.append(retractions.map { _ in mostEntries })
        content.append(retractions.map { Int64(2 * $0.after) })
        content.append(recordsOf: drafts) { $0 }
        return [(.ensureChannels, channels), (.lockRetractedChannels, locks), (.retractEntries, content)]
    }

    func outcome(of rows: [Rows]) -> BatchOutcome? {
        guard rows.count == 3 else { return nil }
        let rows = rows[2]
        let unstored = StoredDraft(seq: .zero, createdAt: Timestamp(milliseconds: 0), duplicate: true)
        // Those that are not in `settled.drafts` are never stored.
        var results = drafts.map { _ in StoredDraft?.some(unstored) }
        var known: [IngestPosition] = []
        var taken: [Entry] = []
        var fresh: [Entry] = []
        var active: [BusEvent] = []
        var (count, isBehind, hasMore) = (0, false, false)
        for row in 0..<rows.count {
            switch rows.int32(row, 0) {
            case 1:
                guard count < settled.drafts.count, let isAdmitted = rows.bool(row, 1), let time = rows.time(row, 3),
                    let isFresh = rows.bool(row, 4), let isNewer = rows.bool(row, 5), let replaces = rows.bool(row, 7)
                else { return nil }
                let index = settled.drafts[count]
                count += 1
                let (seq, createdAt) = (Seq(stored: rows.int64(row, 2)), Timestamp(time))
                guard isAdmitted || !isNewer else {
                    results[index] = nil
                    continue
                }
                guard let seq, isAdmitted || !isFresh else {
                    guard !isAdmitted else { return nil }
                    continue
                }
                results[index] = StoredDraft(seq: seq, createdAt: createdAt, duplicate: !isFresh)
                guard isFresh || order.unsettled else { continue }
                // What a commit has replaced whose outcome was unknown is not known any more.
                let hasReplaced = isFresh ? replaces : drafts[index].collapse != nil
                fresh.append(Entry(seq: seq, createdAt: createdAt, draft: drafts[index], replaces: hasReplaced))
                if let members = rows.texts(row, 6) {
                    active.append(.active(drafts[index].channel, members: members.compactMap { UserID($0) }))
                }
            case 2:
                isBehind = true
                guard let place = rows.int64(row, 8), place >= 1, place <= positions.count else { return nil }
                guard let offset = rows.int64(row, 2) else { continue }
                var position = positions[Int(place) - 1]
                (position.offset, position.after, position.takesOver) = (offset, nil, false)
                known.append(position)
            case 3:
                guard let seq = Seq(stored: rows.int64(row, 2)), let time = rows.time(row, 3), let refers = Seq(stored: rows.int64(row, 8)),
                    let name = rows.text(row, 9), let more = rows.bool(row, 10)
                else { return nil }
                if more { hasMore = true }
                guard let channel = Channel(storedName: name) else { continue }
                taken.append(Entry(seq: seq, createdAt: Timestamp(time), draft: .retraction(of: refers, in: channel)))
            default: return nil
            }
        }
        guard count == settled.drafts.count else { return nil }
        // A channel's retractions have the lower numbers.
        let entries = taken + fresh
        let events: [BusEvent] = entries.isEmpty ? [] : [.entries(entries)] + active
        if isBehind { return BatchOutcome(replies: [.behind(known)]) }
        if hasMore { return BatchOutcome(events: events, replies: [], partial: []) }
        let admitted = results.compactMap { $0 }
        return BatchOutcome(events: events, replies: [admitted.count == results.count ? .stored(admitted) : .partlyStored(results)])
    }
}

extension Retraction {
    fileprivate var cause: (row: String, rule: String?)? { if case .cause(let row, let rule) = target { (row, rule) } else { nil } }
    fileprivate var event: (source: String, id: String)? { if case .event(let source, let id, _) = target { (source, id) } else { nil } }
    fileprivate var group: String? { if case .group(let group, _) = target { group } else { nil } }
}

extension Parameters {
    /// Three arrays: positions in the log of the database, and times.
    fileprivate mutating func append(_ changes: [ChangePosition?]) {
        append(changes.map { $0?.commit })
        append(changes.map { $0?.lsn })
        append(changes.map { $0?.time.stored })
    }
}

extension Clause {
    /// The entry `e` of the platform, if it can be taken back.
    private static let isTakeable = "e.sender is null and e.kind in ('notification', 'system') and \(isValid)"

    /// The entries that the row `a (cause, rule, most)` has caused, in the order of the index.
    fileprivate static let causedEntries = """
        select e.channel_id, e.seq, e.ctid as place from hub.entry e
        where e.cause = a.cause collate "C" and (a.rule is null or e.rule = a.rule collate "C") and \(isTakeable)
        order by e.rule, e.channel_id, e.seq limit a.most
        """

    fileprivate static let eventEntry = """
        select e.channel_id, e.seq, e.ctid as place from hub.entry e
        where e.channel_id = a.channel_id and e.source = a.source collate "C" and e.source_id = a.source_id collate "C" and \(isTakeable)
        limit 1
        """

    fileprivate static let groupEntries = """
        select e.channel_id, e.seq, e.ctid as place from hub.entry e
        where e.channel_id = a.channel_id and e.group_key collate "C" = a.group_key collate "C" and \(isTakeable)
        order by e.seq limit a.most
        """

    /// Whether the change of the row `a` is newer than the newest change of its origin, `w`: the same as `ChangePosition.isNewer`.
    fileprivate static func isNewer(_ a: String) -> String {
        """
        (w.origin is null or \(a).lsn is null or \(a).changed_at > w.changed_at
            or case when \(a).commit_lsn > 0 and w.commit_lsn > 0 then (\(a).commit_lsn, \(a).lsn) > (w.commit_lsn, w.lsn)
                else \(a).lsn > w.lsn end)
        """
    }

    fileprivate static func newestChange(of origin: String) -> String {
        "lateral (select w.* from hub.row_change w where w.origin = \(origin) collate \"C\" limit 1)"
    }
}

extension Statement {
    /// $1 names; and of causes $2 row, $3 rule or null, $4 how many entries at most. An entry that gets the cause later is not found by the
    /// next statement either: the records of a row are in one partition, which one hub stores.
    static let lockRetractedChannels = Statement(
        name: "lockRetractedChannels",
        sql: """
            with found as materialized (
                select c.id from unnest($1::text[]) a (channel) join \(Clause.namedChannel) c on true
                union
                select e.channel_id from unnest($2::text[], $3::text[], $4::int8[]) a (cause, rule, most)
                cross join lateral (\(Clause.causedEntries)) e
            )
            select c.id from (select f.id from found f order by f.id) f
            cross join lateral (select c.id from hub.channel c where c.id = f.id limit 1 for no key update) c
            """)

    /// $1 to $22 as in `storeEntries`. Then of the drafts: $23 cause, $24 rule, $25 commit, $26 lsn and $27 time of the change, $28 place in
    /// the order. Then the retractions: $29 cause, $30 rule, $31 channel, $32 source, $33 id, $34 group (null where it retracts by another),
    /// $35 origin, $36 commit, $37 lsn and $38 time of the change (null: it is not compared), $39 whether its change is noted even without
    /// an effect, $40 how many entries at most, $41 place in the order. $42 the record of
    /// each draft.
    ///
    /// An entry that is taken back loses its content, and the channel gets an entry that refers to it. Retractions come before drafts.
    /// A draft or retraction whose change is not newer than the noted one of its row does nothing. If a retraction has as many entries as it
    /// may take, the drafts, positions and changes are left to a later transaction.
    ///
    /// Returns the columns part, admitted, seq, time, fresh, newer, members, replaces, number, channel, more:
    /// part 1 for each draft; part 2 for each position if one was not reached, with its index (from 1) as number; part 3 for each entry that
    /// tells of a retraction, with the seq of the entry taken back as number. They are told again for a retraction that has found nothing,
    /// because the transaction that carried it out may not have been announced.
    static let retractEntries = Statement(
        name: "retractEntries",
        sql: """
            with \(Clause.drafts(
                more: ", $23::text[], $24::text[], $25::int8[], $26::int8[], $27::timestamptz[], $28::int8[], $42::text[]",
                named: ", cause, rule, commit_lsn, lsn, changed_at, place, record")),
            \(Clause.reachedPositions), retraction as materialized (
                select a.*, c.id as channel_id, \(Clause.isNewer("a")) as is_newer
                from unnest(
                    $29::text[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[], $35::text[], $36::int8[], $37::int8[],
                    $38::timestamptz[], $39::bool[], $40::int8[], $41::int8[]
                ) with ordinality a (
                    cause, rule, channel, source, source_id, group_key, origin, commit_lsn, lsn, changed_at, is_noted, most, place, ordinal
                )
                left join \(Clause.namedChannel) c on true
                left join \(Clause.newestChange(of: "a.origin")) w on true
            ), found as materialized (
                select a.ordinal, a.origin, a.most, a.source_id is null as may_have_more, e.channel_id, e.seq, e.place
                from lack cross join retraction a
                cross join lateral (
                    (\(Clause.causedEntries)) union all (\(Clause.eventEntry)) union all (\(Clause.groupEntries))
                ) e
                where not lack.is_behind and a.is_newer
            ), taken as materialized (
                select f.*, c.name, c.last_seq + row_number() over (partition by f.channel_id order by f.refers) as seq, clock.stamp
                from (
                    select distinct on (f.channel_id, f.seq) f.channel_id, f.seq as refers, f.place, f.origin
                    from found f order by f.channel_id, f.seq, f.ordinal
                ) f
                cross join lateral (select c.name, c.last_seq from hub.channel c where c.id = f.channel_id limit 1) c
                cross join (select date_trunc('milliseconds', clock_timestamp()) as stamp) clock
            ), slice as materialized (
                select exists (
                    select from found f where f.may_have_more group by f.ordinal, f.most having count(*) >= f.most
                ) as has_more
            ), held as materialized (
                select lack.is_behind or slice.has_more as is_behind from lack cross join slice
            ), target as (
                select d.*, c.id as channel_id, c.last_seq + coalesce(t.count, 0) as last_seq,
                    c.kind as channel_kind, null::text[] as hides, \(Clause.isNewer("d")) as is_newer,
                    c.id is not null and not held.is_behind and \(Clause.isNewer("d")) as allowed,
                    coalesce(d.reply_to <= c.last_seq, true) as answers
                from held cross join draft d
                left join hub.channel c on c.name = d.channel collate "C"
                left join (select t.channel_id, count(*) as count from taken t group by t.channel_id) t on t.channel_id = c.id
                left join \(Clause.newestChange(of: "d.cause")) w on true
            ), \(Clause.knownDrafts), numbered as (
                select k.*, k.fresh as is_new,
                    k.last_seq + count(*) filter (where k.fresh) over (partition by k.channel_id order by k.ordinal) as next_seq
                from known k
            ), \(Clause.sequencedDrafts), \(Clause.collapsing), stored as (
                insert into hub.entry (
                    channel_id, seq, source, source_id, kind, event_type, priority, form, sender, content, group_key, collapse_key,
                    created_at, expires_at, receipt_required, trace, retracted_at, cause, rule,
                    record
                )
                select t.channel_id, t.seq, '', 'retraction:' || t.refers, 'retraction', 'retraction', 'normal', 'full', null,
                    ('{"refers":' || t.refers || '}')::json, null, null, t.stamp, null, false, null, t.stamp, t.origin, null, null
                from taken t
                union all
                select s.channel_id, s.seq, s.source, s.source_id, s.kind, s.event_type, s.priority, s.form, s.sender,
                    ('{' || s.content || '}')::json, s.group_key, s.collapse_key, s.stamp, s.expires_at, s.receipt_required, s.trace,
                    case when g.is_replaced then s.stamp end, s.cause, s.rule, s.record
                from sequenced s left join collapsing g on g.channel_id = s.channel_id and g.seq = s.seq
                where s.is_new order by 1, 2
            ), retracted as (
                update hub.entry e set retracted_at = t.stamp, content = json '{"retracted":true}'
                from taken t where e.ctid = t.place
            ), \(Clause.replaced(where: "not exists (select from taken t where t.place = e.ctid)")), \(Clause.replacing), counted as (
                update hub.channel c set last_seq = m.seq,
                    -- A cursor that is moved meanwhile does not see this transaction yet: no statement takes longer.
                    recount_from = case
                        when c.id in (select r.channel_id from replaced r union all select t.channel_id from taken t)
                        then clock_timestamp() + interval '10 seconds' else c.recount_from end
                from (
                    select channel_id, max(seq) as seq from (
                        select channel_id, seq from taken union all select channel_id, seq from sequenced where is_new
                    ) n group by channel_id
                ) m
                where c.id = m.channel_id
            ), \(Clause.movedPositions("held")), noted as (
                insert into hub.row_change (origin, commit_lsn, lsn, changed_at)
                select distinct on (n.origin collate "C") n.origin, n.commit_lsn, n.lsn, n.changed_at
                from held cross join (
                    select s.cause as origin, s.commit_lsn, s.lsn, s.changed_at, s.place from sequenced s
                    where s.cause is not null and s.lsn is not null and s.admitted
                    union all
                    select a.origin, a.commit_lsn, a.lsn, a.changed_at, a.place from retraction a
                    where a.lsn is not null and a.is_newer and (a.is_noted or a.ordinal in (select f.ordinal from found f))
                ) n
                where not held.is_behind
                order by n.origin collate "C", n.place desc
                on conflict (origin) do update
                set commit_lsn = excluded.commit_lsn, lsn = excluded.lsn, changed_at = excluded.changed_at, noted_at = now()
            ), purged as (
                delete from hub.row_change w
                using (
                    select w.ctid as place from hub.row_change w
                    where w.noted_at < now() - interval '30 days' and w.origin <> all (array_remove($23::text[] || $35::text[], null))
                    order by w.noted_at limit 100 for update skip locked
                ) o
                where w.ctid = o.place
            ), \(Clause.listedByEvents), \(Clause.journal(entriesOf: """
                (select channel_id, seq from taken union all select channel_id, seq from sequenced where is_new) t
                """)), told as (
                select e.channel_id, e.seq, e.created_at, substr(e.source_id, 12)::int8 as refers
                from lack cross join retraction a
                cross join lateral (
                    select e.* from hub.entry e
                    where e.cause = a.origin collate "C" and e.kind = 'retraction' and e.created_at > now() - interval '10 minutes'
                    order by e.created_at desc limit 100
                ) e
                where not lack.is_behind and a.ordinal not in (select f.ordinal from found f)
            )
            select o.part, o.admitted, o.seq, o.time, o.is_new, o.is_newer, o.members, o.replaces, o.number, o.name, o.has_more from (
                select 1 as part, s.admitted, case when s.admitted then s.seq else s.known_seq end as seq,
                    coalesce(s.known_at, s.stamp) as time, s.is_new, s.is_newer,
                    case when s.admitted and s.channel_kind = 'conversation'
                            and row_number() over (partition by s.channel_id, s.admitted, s.is_new order by s.ordinal desc) = 1
                        then array(select m.user_id from hub.member m where m.channel_id = s.channel_id order by 1)
                    end as members,
                    case when s.is_new and s.collapse_key is not null
                        then (s.channel_id, s.seq) in (select r.channel_id, r.seq from replacing r) else false end as replaces,
                    null::int8 as number, null as name, null::bool as has_more, s.ordinal as first, 0::int8 as second
                from sequenced s
                union all
                select 2, null, r.stored, null, null, null, null, null, r.ordinal, null, null, r.ordinal, 0
                from lack cross join reached r where lack.is_behind
                union all
                select 3, null, t.seq, t.stamp, true, null, null, null, t.refers, t.name, slice.has_more, t.channel_id, t.seq
                from taken t cross join slice
                union all
                select 3, null, t.seq, t.created_at, false, null, null, null, t.refers, c.name, slice.has_more, t.channel_id, t.seq
                from slice cross join told t
                cross join lateral (select c.name from hub.channel c where c.id = t.channel_id limit 1) c
            ) o
            order by o.part, o.first, o.second
            """)
}

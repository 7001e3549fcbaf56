import Bus
import Messaging

/// What this process has seen of the database, by which a connection finds out that the database went back to an earlier state: it was
/// restored from a backup, or a replica took over that had not received everything.
///
/// A process that starts after the database went back has seen nothing. It is told by the intake when events are missing that Kafka knows to
/// be stored. If only messages of users are missing, nobody knows: for this there is `hub restored`. Lives on the store's thread.
final class History {
    private(set) var epoch: Epoch?
    /// Names this process in `hub.witness`.
    let witness: String
    private var isWitnessed = false
    /// The newest entry, and the newest state of a cursor's row. If any commit was lost, the last one was: it wrote one of the two.
    private var newest: Entry?
    private var newestMove: MovedCursor?
    /// The intake has found the database behind, and no connection was made since.
    private var isToldBehind = false
    /// The finding of the intake is used once, and not after this process has found another epoch itself.
    private var mayBeTold = true

    /// - Parameter random: any random number.
    init(random: UInt64) { witness = String(random, radix: 36) }

    /// These events were committed. A commit that moves cursors stores no entries.
    func committed(_ events: [BusEvent]) {
        if case .moved(let cursor)? = events.last {
            newestMove = cursor
            return
        }
        for case .entries(let entries) in events { newest = entries.last ?? newest }
    }

    /// The intake found the database behind what Kafka knows to be stored.
    /// - Returns: whether this is news, so that a new connection must look.
    func toldBehind() -> Bool {
        defer { mayBeTold = false }
        isToldBehind = isToldBehind || mayBeTold
        return mayBeTold
    }

    /// The witness's row is in the database.
    func witnessed() { isWitnessed = true }

    /// - Returns: whether it is another history than before.
    func found(_ epoch: Epoch) -> Bool {
        isToldBehind = false
        guard epoch != self.epoch else { return false }
        defer { self.epoch = epoch }
        newest = nil
        newestMove = nil
        if self.epoch != nil { mayBeTold = false }
        return self.epoch != nil
    }

    /// The parameter of `HistoryQueries`: epoch held, witness, channel, seq, source and id of the newest entry, a text if the intake has
    /// found the database behind, and user, channel and version of the newest cursor. Nulls for what this process has not seen.
    var seen: [String?] {
        [
            epoch?.text, isWitnessed ? witness : nil, newest?.draft.channel.storedName, newest.map { "\($0.seq.rawValue)" },
            newest?.draft.source, newest?.draft.id, isToldBehind ? "told" : nil,
            newestMove?.user.name, newestMove?.state.channel.storedName, newestMove.map { "\($0.state.cursorVersion)" },
        ]
    }
}

/// The questions of a new connection about the database's history.
enum HistoryQueries {
    /// Present history, and whether the database is behind what the process has seen. Retention may have removed the newest entry, but
    /// not lowered its channel's last number. No statement removes a row of `hub.cursor` or lowers its version. What the intake has found does
    /// not count if an epoch was begun since this process first connected: another hub has found the same then.
    private static let judgement = """
        current as (select e.epoch from hub.epoch e order by e.number desc limit 1),
        seen as (
            select s.seen[1] as epoch, s.seen[2] as witness, s.seen[3] as channel, s.seen[4]::int8 as seq, s.seen[5] as source,
                s.seen[6] as source_id, s.seen[7] is not null as is_told,
                s.seen[8] as user_id, s.seen[9] as moved_in, s.seen[10]::int8 as version
            from (select $1::text[] as seen) s
        ),
        judged as (
            select c.epoch, s.epoch as held, coalesce(
                not exists (select from hub.epoch e where s.epoch in (e.epoch, e.held))
                or c.epoch = s.epoch and (
                    s.witness is not null and not exists (select from hub.witness w where w.id = s.witness)
                    or s.channel is not null and not exists (
                        select from hub.channel c left join hub.entry e on e.channel_id = c.id and e.seq = s.seq
                        where c.name = s.channel and c.last_seq >= s.seq
                            and (e.seq is null or e.source = s.source and e.source_id = s.source_id)
                    )
                    or s.user_id is not null and not exists (
                        select from hub.channel c join hub.cursor k on k.channel_id = c.id
                        where c.name = s.moved_in collate "C" and k.user_id = s.user_id collate "C" and k.version >= s.version
                    )
                    or s.is_told and not exists (
                        select from hub.epoch e join hub.witness w on w.id = s.witness
                        where e.follows is not null and e.began_at >= w.seen_at
                    )
                ), false) and s.epoch is not null as is_behind
            from seen s, current c
        )
        """

    /// $1 as `History.seen`. Returns the present epoch and whether the database is behind.
    static let judge = "with \(judgement) select epoch, is_behind from judged"

    /// $1 as `History.seen`, $2 a new epoch. Begins it when the database is behind, at most once for all hubs that find out.
    static let beginWhenBehind = """
        with \(judgement)
        insert into hub.epoch (epoch, follows, held, reason)
        select $2::text, j.epoch, j.held, 'a hub found the database behind what it had seen' from judged j where j.is_behind
        on conflict (follows) do nothing
        """

    /// $1 the witness. Writes nothing when its row is there: a database that accepts no writes now can still be read.
    static let writeWitness = """
        with missing as (select $1::text as id where not exists (select from hub.witness w where w.id = $1::text)),
        removed as (delete from hub.witness w using missing m where w.seen_at < now() - interval '2 years' and w.id <> m.id)
        insert into hub.witness (id, seen_at) select m.id, now() from missing m on conflict (id) do nothing
        """
}

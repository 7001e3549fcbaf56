package import Messaging
import Postgres

/// Finds entries for operators.
package enum EntryLookup {
    package struct Found: Equatable, Sendable {
        package let channel: Channel
        package let seq: Int64
        package let source: String
        package let id: String
        /// `notification`, `message` and so on.
        package let kind: String
        package let isRetracted: Bool
    }

    /// An event has at most so many entries that are found: one in each of its channels.
    package static let most = 100_000

    /// The entry with this number in a channel. Blocks.
    package static func entry(_ address: String, in channel: Channel, seq: Int64) throws(MigrationError) -> Found? {
        try find(address, "c.name = $1 and e.seq = $2::int8", [channel.storedName, String(seq)]).first
    }

    /// The entries of an event in all channels, or in some. Each channel is looked up in an index, so the time depends on their number.
    /// Blocks.
    package static func entries(_ address: String, source: String, id: String) throws(MigrationError) -> [Found] {
        try find(address, "e.source = $1 and e.source_id = $2", [source, id])
    }

    private static func find(_ address: String, _ condition: String, _ values: [String]) throws(MigrationError) -> [Found] {
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub retract")
            try connection.execute("set statement_timeout = '60s'; set enable_seqscan = off")
            let rows = try connection.execute(
                """
                select c.name, e.seq, e.source, e.source_id, e.kind, e.retracted_at is not null
                from hub.channel c cross join lateral (
                    select e.* from hub.entry e where e.channel_id = c.id and \(condition) limit 1
                ) e
                order by c.id limit \(most)
                """, values)
            return rows.compactMap { row in
                guard row.count == 6, let channel = row[0].flatMap({ Channel(storedName: $0) }), let seq = row[1].flatMap({ Int64($0) }),
                    let source = row[2], let id = row[3], let kind = row[4]
                else { return nil }
                return Found(channel: channel, seq: seq, source: source, id: id, kind: kind, isRetracted: row[5] == "t")
            }
        } catch {
            throw MigrationError.unreachable(error)
        }
    }
}

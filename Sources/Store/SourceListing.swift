package import Messaging
import Postgres

/// What the hubs of a consumer group heard of sources of changes, for operators.
package enum SourceListing {
    /// By name; empty before `source.silent-after` was ever set. Blocks.
    package static func read(_ address: String, group: String) throws(MigrationError) -> [SourceState] {
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub doctor")
            try connection.execute("set statement_timeout = '10s'")
            let rows = try connection.execute(
                """
                select s.name, s.topic, s.partition, greatest(extract(epoch from now() - s.heard_at), 0)::int8,
                    case when s.silent_since is not null then greatest(extract(epoch from now() - s.silent_since), 0)::int8 end
                from hub.source s where s.consumer_group = $1 order by s.name limit \(Sources.most)
                """, [group])
            return rows.compactMap { row in
                guard row.count == 5, let name = row[0], let topic = row[1], let partition = row[2].flatMap({ Int32($0) }),
                    let age = row[3].flatMap({ Int64($0) })
                else { return nil }
                return SourceState(
                    name: name, topic: topic, partition: partition, age: .seconds(age),
                    silence: row[4].flatMap { Int64($0) }.map { .seconds($0) })
            }
        } catch {
            throw MigrationError.unreachable(error)
        }
    }
}

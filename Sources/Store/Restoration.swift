import Messaging
import Postgres

/// What an operator tells the database after it was restored, while no hub was running that could have found out.
package enum Restoration {
    /// Brings the schema up to date, begins a new epoch, and ends the connections of running hubs so that they take it over. Blocks.
    /// - Returns: the new epoch, as clients see it.
    package static func note(_ address: String) throws(MigrationError) -> String {
        _ = try Migrator.migrate(address)
        var dice = SystemRandomNumberGenerator()
        let epoch = Epoch(random: dice.next()).text
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub restored")
            try connection.execute(
                """
                insert into hub.epoch (epoch, follows, reason)
                select $1, (select e.epoch from hub.epoch e order by e.number desc limit 1), 'hub restored'
                """, [epoch])
            try connection.execute(
                """
                select pg_terminate_backend(a.pid) from pg_stat_activity a
                where a.datname = current_database() and a.usename = current_user
                    and a.application_name in (\(LaneName.allCases.map { "'hub \($0.rawValue)'" }.joined(separator: ", ")))
                """)
        } catch {
            throw .unreachable(error)
        }
        return epoch
    }
}

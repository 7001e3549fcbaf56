package import Messaging
import Postgres

/// Fences that operators put up from the command line.
package enum OperatorFence {
    /// Blocks. The hubs on the database read it within a second.
    /// - Parameters:
    ///   - life: how long older tokens are refused: as long as one of them may be valid.
    ///   - why: for the audit row.
    package static func put(
        _ address: String, user: UserID?, login: LoginMark?, reason: Fence.Reason, life: Duration, by operatorName: String, why: String
    ) throws(MigrationError) {
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub revoke")
            try connection.execute(
                """
                insert into hub.fence (key, user_id, login, reason, issued_up_to, expires_at, source, noted_by, why)
                values (
                    'operator ' || gen_random_uuid(), nullif($1, ''), nullif($2, '')::numeric, $3, now(), now() + $4::int8 * interval '1 second',
                    'operator', $5 || '@' || session_user, $6
                )
                """,
                [
                    user?.name ?? "", login.map { String($0.rawValue) } ?? "", reason.rawValue, String(life.components.seconds),
                    operatorName, why,
                ])
        } catch {
            throw .unreachable(error)
        }
    }
}

package import Messaging
import Postgres

/// Fences that operators put up from the command line.
package enum OperatorFence {
    /// Blocks. The hubs on the database read it within a second.
    /// - Parameters:
    ///   - life: how long older tokens are refused: as long as one of them may be valid.
    ///   - person: who acts, and `why`: for the row in `hub.audit`.
    package static func put(
        _ address: String, user: UserID?, login: LoginMark?, reason: Fence.Reason, life: Duration, by person: String, why: String
    ) throws(MigrationError) {
        do throws(PostgresError) {
            let connection = try BlockingConnection(address, applicationName: "hub revoke")
            try connection.execute(
                """
                with audit as (
                    insert into hub.audit (person, action, subject, detail, why)
                    values ($5, 'revoke', coalesce(nullif($1, ''), 'login'), jsonb_build_object('reason', $3, 'login', nullif($2, '')), $6)
                )
                insert into hub.fence (key, user_id, login, reason, issued_up_to, expires_at, source, why)
                values (
                    'operator ' || gen_random_uuid(), nullif($1, ''), nullif($2, '')::numeric, $3, now(), now() + $4::int8 * interval '1 second',
                    'operator', $6
                )
                """,
                [
                    user?.name ?? "", login.map { String($0.rawValue) } ?? "", reason.rawValue, String(life.components.seconds),
                    person, why,
                ])
        } catch {
            throw .unreachable(error)
        }
    }
}

import Linux
import Messaging
import Store

/// `hub revoke`: the end of a user's sessions and tokens, by an operator.
package enum UserRevocation {
    /// Blocks.
    /// - Parameters:
    ///   - login: only the login of this name; nil: all of the user.
    ///   - sessionLife: the hubs' `auth.session-life`.
    /// - Returns: the line for the operator.
    package static func carryOut(
        _ address: String, user: String?, login: String?, isAboutRights: Bool, sessionLife: Duration, why: String
    ) throws(CommandFailure) -> String {
        guard user != nil || login != nil else { throw CommandFailure(.usage, "expected a user, or --login") }
        let name = user.flatMap { UserID($0) }
        if let user, name == nil { throw CommandFailure(.usage, "\(user) is no user's id") }
        guard !why.isEmpty, why.utf8.count <= 4_096 else { throw CommandFailure(.usage, "--why: expected 1 to 4096 bytes") }
        let person = "\(Machine.userName)@\(Machine.hostName)"
        do throws(MigrationError) {
            try OperatorFence.put(
                address, user: name, login: login.map { LoginMark($0) }, reason: isAboutRights ? .privileges : .revoked,
                life: Fence.life(sessionLife: sessionLife), by: person, why: why)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
        return "\(name.map { "the sessions of \($0.name)" } ?? "the sessions of the login") end, and tokens from before are refused"
    }
}

import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux

struct RevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "End a user's sessions, and refuse the tokens that the user has now.",
        discussion: """
            All hubs on the database end the user's sessions within a second (4302), and refuse tokens that were issued up to now. A new token is
            accepted: block the account at the identity provider, too, if the user must stay out. With --privileges the clients are told that the
            user's rights have changed (4304); they get a new token and come back. With --login only one login of the user ends, by the claim sid
            of its tokens. Who, when and why stand in hub.audit.

              hub revoke alice --why "account taken over, ticket 4711"
              hub revoke alice --privileges --why "role removed"
            """)

    @Argument(help: ArgumentHelp("The user's id.", valueName: "user"))
    var user: String?

    @Option(help: ArgumentHelp("Only the login of this name (claim sid).", valueName: "sid"))
    var login: String?

    @Flag(help: "The user's rights have changed: clients get a new token.")
    var privileges = false

    @Option(help: ArgumentHelp("The reason, for the audit.", valueName: "text"))
    var why: String

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            let life = try options.load().configuration.auth.sessionLife
            let line = try UserRevocation.carryOut(
                options.databaseURL(), user: user, login: login, isAboutRights: privileges, sessionLife: life, why: why)
            Console.print(line)
        }
    }
}

import ArgumentParser
import Configuration
import Hub
import HubClient
import Linux

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Print a development token for the embedded hub.",
        discussion: """
            The token is signed with the key that `hub serve --embedded` keeps in its folder. Only that hub accepts it.

              hub token --subject alice
              hub token --subject bob --institution univ-lorraine --role teacher --role reviewer --ttl 8h
            """)

    @Option(help: ArgumentHelp("The user's id.", valueName: "id"))
    var subject: String

    @Option(
        name: .customLong("role"),
        help: ArgumentHelp("A role. The user may follow broadcast:category:<role>. May be given several times.", valueName: "role"))
    var roles: [String] = []

    @Option(help: ArgumentHelp("The user's institution. The user may follow broadcast:institution:<id>.", valueName: "id"))
    var institution: String?

    @Option(
        name: .customLong("channel"),
        help: ArgumentHelp("A further broadcast channel, such as activity:42. May be given several times.", valueName: "name"))
    var channels: [String] = []

    @Option(help: ArgumentHelp("How long the token is valid, such as 90s, 30m, 1h.", valueName: "duration"))
    var ttl = "1h"

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        try work { () throws(CommandFailure) in
            guard let lifetime = Duration(quantity: ttl) else {
                throw CommandFailure(.usage, "--ttl \(ttl): expected a duration such as 90s, 30m, 1h")
            }
            guard !subject.isEmpty else { throw CommandFailure(.usage, "--subject: expected a user's id") }
            var wish = TokenWish(subject: subject)
            wish.roles = roles
            wish.institution = institution
            wish.channels = channels
            wish.lifetime = lifetime
            let effective = try options.load()
            Console.print(try EmbeddedLocation(folder: effective.configuration.data).token(wish))
        }
    }
}

import ArgumentParser
import Dialect
import Linux
import Load
import Report

struct ManyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "many", abstract: "More sessions than one process may have: several hubs, all open at once, a broadcast to all.",
        discussion: """
            A process may open so many files (`ulimit -n`) and a client address has about 28 000 ports for a server, so there are several
            hubs, each with its own database, broker and port, several generators, and several source addresses in 127/8. Every session
            proves who it is with a token of its own. When all are there, every hub is given entries for everyone, one after the other;
            the run fails unless each session gets each of them once. All of a hub's memory is told, and the kernel's beside it.

              hub-bench many                                  100 000 sessions; some minutes, 4 GiB
              hub-bench many --sessions 2000 --hubs 2         whether it works here
            """)
    @Option(help: ArgumentHelp("Sessions over all hubs.", valueName: "count")) var sessions = 100_000
    @Option(help: ArgumentHelp("Hub processes; 0: as few as descriptors allow.", valueName: "count")) var hubs = 0
    @Option(help: ArgumentHelp("Entries to everyone, one after the other.", valueName: "count")) var entries = 5
    @Option(help: ArgumentHelp("Length of the message each session gets.", valueName: "bytes")) var bytes = 300
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    private var hubCount: Int { hubs > 0 ? hubs : Many.hubs(for: sessions) }

    func validate() throws {
        if !(1...400_000).contains(sessions) { throw ValidationError("--sessions: from 1 to 400000") }
        if !(0...24).contains(hubs) { throw ValidationError("--hubs: from 0 to 24, each with a database of its own") }
        if !(1...1_000).contains(entries) { throw ValidationError("--entries: from 1 to 1000") }
        try checkBytes(bytes)
        if how.clients != nil { throw ValidationError("--sessions says how many clients there are") }
        if server.url != nil || (server.server ?? .hub) != .hub { throw ValidationError("many starts hubs, and nothing else") }
        let most = Linux.Machine.descriptorLimit - 1_000
        if (sessions + hubCount - 1) / hubCount > most {
            throw ValidationError(
                "\(sessions) sessions on \(hubCount) hubs: a process may open \(Linux.Machine.descriptorLimit) files; give more --hubs")
        }
    }

    func run() throws {
        var many = Many(hubs: hubCount)
        many.common = how.scenario(clients: sessions, seconds: 3)
        many.entries = entries
        many.bytes = bytes
        try measure("many", how, Array(repeating: try server.choice(), count: hubCount)) { [try many.run($0)] }
    }
}

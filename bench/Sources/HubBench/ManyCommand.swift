import ArgumentParser
import Dialect
import Linux
import Load
import Report

struct ManyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "many", abstract: "More sessions than one process may have: on several hubs, open at once, with broadcasts to all.",
        discussion: """
            A process may open a limited number of files (`ulimit -n`), and a client address has about 28 000 ports for a server. So there
            are several hubs, each with its own database, broker and port, several generators, and several source addresses in 127/8. Every
            session authenticates with its own token. When all are connected, every hub delivers entries to all its sessions, one after the
            other. The run fails unless each session gets each entry once. The memory of the hubs and of the kernel is reported.

              hub-bench many                                  100 000 sessions; takes some minutes and 4 GiB
              hub-bench many --sessions 2000 --hubs 2         a quick test
              hub-bench many --together --sessions 1000000    as one: one database and one bus
            """)
    @Option(help: ArgumentHelp("Sessions over all hubs.", valueName: "count")) var sessions = 100_000
    @Option(help: ArgumentHelp("Hub processes; 0: as few as the descriptor limit allows.", valueName: "count")) var hubs = 0
    @Flag(help: "All hubs share one database, one broker and one bus; the first one reads the events from Kafka.") var together = false
    @Option(help: ArgumentHelp("Entries to all sessions, one after the other.", valueName: "count")) var entries = 5
    @Option(help: ArgumentHelp("Length of the message each session gets.", valueName: "bytes")) var bytes = 300
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    private var hubCount: Int { hubs > 0 ? hubs : Many.hubs(for: sessions) }

    func validate() throws {
        let most = together ? 2_000_000 : 400_000
        if !(1...most).contains(sessions) { throw ValidationError("--sessions: from 1 to \(most)") }
        if !together, !(0...24).contains(hubs) { throw ValidationError("--hubs: from 0 to 24, each with a database of its own") }
        if !(0...120).contains(hubs) { throw ValidationError("--hubs: from 0 to 120") }
        if !(1...1_000).contains(entries) { throw ValidationError("--entries: from 1 to 1000") }
        try checkBytes(bytes)
        if how.clients != nil { throw ValidationError("--sessions says how many clients there are") }
        if server.url != nil || (server.server ?? .hub) != .hub { throw ValidationError("many measures only hubs that it starts itself") }
        let mostOfOne = Linux.Machine.descriptorLimit - 1_000
        if (sessions + hubCount - 1) / hubCount > mostOfOne {
            throw ValidationError(
                "\(sessions) sessions on \(hubCount) hubs: a process may open \(Linux.Machine.descriptorLimit) files; give more --hubs")
        }
    }

    func run() throws {
        var many = Many(hubs: hubCount)
        many.common = how.scenario(clients: sessions, seconds: 3)
        many.entries = entries
        many.bytes = bytes
        if together {
            let choice = try server.choice()
            return try measure("many", how, []) { _ in
                let hubs = try Hubs(choice, count: hubCount, storing: 1)
                defer { hubs.stop() }
                many.services = hubs.services
                return [try many.run(hubs.nodes)]
            }
        }
        try measure("many", how, Array(repeating: try server.choice(), count: hubCount)) { [try many.run($0)] }
    }
}

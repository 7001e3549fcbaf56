import ArgumentParser
import Load

struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "From the TCP connection to a subscribed session: connects per second and processor time each.",
        discussion: """
            Every client has a token of its own that the hub has never seen, so each costs a signature check (--token rs256 for the
            dearer kind to make, es256 for the dearer to check). Then all are cut and come again, with tokens the hub remembers.
            """)
    @Option(help: ArgumentHelp("Connections begun per second; 0: as many at once as --concurrency.", valueName: "per second")) var rate =
        0.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func run() throws {
        var connect = Connect()
        connect.common = how.scenario(clients: 2_000, seconds: 1)
        connect.rate = rate
        try measure("connect", how, try server.choice()) { try connect.run($0) }
    }
}

struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Memory of sessions that do nothing, each with three subscriptions.",
        discussion: """
            The server's resident memory while the clients come and when all are there, from /proc. The kernel's memory for both ends of
            the sockets is told apart. With --compressed every session has agreed to permessage-deflate.
            """)
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func run() throws {
        var idle = Idle()
        idle.common = how.scenario(clients: 2_000, seconds: 2)
        try measure("idle", how, try server.choice()) { [try idle.run($0)] }
    }
}

struct AcksCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "acks", abstract: "Acknowledgements made durable: each is answered after its commit.",
        discussion: "Each client acknowledges entry after entry. In the end the cursors in the database must be what was answered.")
    @Option(help: ArgumentHelp("Entries in the channel: the most acks one client can give.", valueName: "count")) var entries = 3_000
    @Option(help: ArgumentHelp("Acks on their way per client.", valueName: "count")) var window = 1
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func run() throws {
        var acks = Acks()
        acks.common = how.scenario(clients: 500, seconds: 5)
        acks.entries = max(entries, 1)
        acks.window = min(max(window, 1), 60)
        try measure("acks", how, try server.choice()) { [try acks.run($0)] }
    }
}

struct DurableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "durable", abstract: "Kafka → commit in PostgreSQL → socket, at a given rate or as fast as it goes.",
        discussion:
            "Each event goes to one user's inbox. Latency counts from the moment an event was to be published, whether or not it could be.")
    @Option(help: ArgumentHelp("Events per second; 0: as many as get through.", valueName: "per second")) var rate = 2_000.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func run() throws {
        var durable = Durable()
        durable.common = how.scenario(clients: 500, seconds: 5)
        durable.rate = rate
        try measure("durable", how, try server.choice()) { [try durable.run($0)] }
    }
}

struct MessagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messages", abstract: "User to user: stored, on the other's socket, delivered and read receipts.",
        discussion:
            "Clients talk in pairs: one writes at intended moments, the other acknowledges and reads; latencies count from the intended moment."
    )
    @Option(help: ArgumentHelp("Messages per second over all pairs.", valueName: "per second")) var rate = 500.0
    @Option(help: ArgumentHelp("Length of a message's body.", valueName: "bytes")) var body = 120
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws { if rate <= 0 { throw ValidationError("--rate: more than 0") } }

    func run() throws {
        var messages = Messages()
        messages.common = how.scenario(clients: 200, seconds: 5)
        messages.rate = rate
        messages.bodyBytes = min(max(body, 1), 8_000)
        try measure("messages", how, try server.choice()) { [try messages.run($0)] }
    }
}

struct StormCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm", abstract: "Everyone is cut at once and comes back from where they were.",
        discussion:
            "Entries are published while all are away. Every client must get each of them once; gaps and repetitions are counted and fail the run."
    )
    @Option(help: ArgumentHelp("Entries published meanwhile.", valueName: "count")) var missed = 20
    @Flag(help: "Kill the hub (SIGKILL) and start it again, instead of cutting the lines.") var kill = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func run() throws {
        var storm = Storm()
        storm.common = how.scenario(clients: 2_000, seconds: 1)
        storm.missed = max(missed, 1)
        storm.killsServer = kill
        try measure("storm", how, try server.choice()) { [try storm.run($0)] }
    }
}

struct SlowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow", abstract: "A share of the clients stops reading: what the others feel, and what the hub holds.",
        discussion: "The same load first with everyone reading. In the end the slow ones read on, and must get every entry once.")
    @Option(help: ArgumentHelp("Of the clients, that stop reading.", valueName: "0…0.9")) var share = 0.1
    @Option(help: ArgumentHelp("Entries per second to everyone.", valueName: "per second")) var rate = 20.0
    @Option(help: ArgumentHelp("Length of the message each client gets.", valueName: "bytes")) var bytes = 8_000
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if !(0...0.9).contains(share) { throw ValidationError("--share: from 0 to 0.9") }
        if rate <= 0 { throw ValidationError("--rate: more than 0") }
    }

    func run() throws {
        var slow = Slow()
        slow.common = how.scenario(clients: 1_000, seconds: 10)
        slow.share = share
        slow.rate = rate
        slow.bytes = bytes
        try measure("slow", how, try server.choice()) { try slow.run($0) }
    }
}

struct SoakCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak", abstract: "A steady load for long, with all lines cut from time to time; memory all along.",
        discussion: "Fails when one entry is lost or comes twice.")
    @Option(help: ArgumentHelp("Entries per second to everyone.", valueName: "per second")) var rate = 5.0
    @Option(help: ArgumentHelp("Seconds between two cuts; 0: none.", valueName: "seconds")) var cutEvery = 60.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws { if rate <= 0 { throw ValidationError("--rate: more than 0") } }

    func run() throws {
        var soak = Soak()
        soak.common = how.scenario(clients: 1_000, seconds: 600)
        soak.rate = rate
        soak.cutEvery = cutEvery
        try measure("soak", how, try server.choice()) { [try soak.run($0)] }
    }
}

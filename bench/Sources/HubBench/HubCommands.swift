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

    func validate() throws { try checkRate(rate, "--rate", zeroMeans: true) }

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
        discussion: """
            Each client acknowledges entry after entry. In the end the cursors in the database must be what was answered. By default the next
            ack goes out when a reply came; with --rate they go out at intended moments whatever the hub does, and latencies count from those.
            Told and judged is the user-space processor time per ack of the hub's loop and store threads; the longer the run the surer it is.
            """)
    @Option(help: ArgumentHelp("Entries in the channel: the most acks one client can give.", valueName: "count")) var entries = 3_000
    @Option(help: ArgumentHelp("Acks on their way per client.", valueName: "count")) var window = 1
    @Option(help: ArgumentHelp("Acks per second over all clients; 0: the next when a reply came.", valueName: "per second")) var rate = 0.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if !(2...100_000).contains(entries) { throw ValidationError("--entries: from 2 to 100000") }
        if !(1...60).contains(window) { throw ValidationError("--window: from 1 to 60, as many as the hub takes of one session at once") }
        try checkRate(rate, "--rate", zeroMeans: true)
        if rate > 0, window != 1 { throw ValidationError("--rate sends at its moments whatever is on its way: without --window") }
    }

    func run() throws {
        var acks = Acks()
        acks.common = how.scenario(clients: 500, seconds: 10)
        acks.entries = entries
        acks.window = window
        acks.rate = rate
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

    func validate() throws { try checkRate(rate, "--rate", zeroMeans: true) }

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

    func validate() throws {
        try checkRate(rate, "--rate", zeroMeans: false)
        if !(1...8_000).contains(body) { throw ValidationError("--body: from 1 to 8000 bytes") }
        if let clients = how.clients, clients < 2 { throw ValidationError("--clients: at least 2, who talk in pairs") }
    }

    func run() throws {
        var messages = Messages()
        messages.common = how.scenario(clients: 200, seconds: 5)
        messages.rate = rate
        messages.bodyBytes = body
        try measure("messages", how, try server.choice()) { [try messages.run($0)] }
    }
}

struct StormCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm", abstract: "Everyone is cut at once and comes back from where they were.",
        discussion: """
            Each client follows a broadcast and its own inbox. All are reset at once; while they are away entries are published to both, then
            all come back, each naming the number it has of each channel. Every client must get each entry once and in order, or
            the run fails. Latency counts from the moment when all may come back, until a client has everything it missed; told are also the
            database's round trips and the store's orders per client.

              hub-bench storm --clients 18000 --inbox 2
              hub-bench storm --kill                       the hub is killed instead (SIGKILL), and started again
            """)
    @Option(help: ArgumentHelp("Entries published to everyone meanwhile.", valueName: "count")) var missed = 20
    @Option(help: ArgumentHelp("Entries published to each client's inbox meanwhile.", valueName: "count")) var inbox = 1
    @Flag(help: "Kill the hub (SIGKILL) and start it again, instead of cutting the lines.") var kill = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if missed < 0 || inbox < 0 || missed + inbox == 0 { throw ValidationError("--missed and --inbox: something must be missed") }
    }

    func run() throws {
        var storm = Storm()
        storm.common = how.scenario(clients: 2_000, seconds: 1, concurrency: 1_000)
        storm.missed = missed
        storm.missedInbox = inbox
        storm.killsServer = kill
        try measure("storm", how, try server.choice()) { [try storm.run($0)] }
    }
}

struct SlowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "slow", abstract: "A share of the clients stops reading: what the others feel, and what the hub holds.",
        discussion: """
            The same load in turns: everyone reads, or the share does not, with little room in its sockets' buffers, so that the hub has to
            keep or to let go of what they do not take. After each turn they read on, and the run fails unless each has every entry
            once. Told are the others' latencies in both kinds of turns, their ratio in each round, and the hub's memory over time.
            """)
    @Option(help: ArgumentHelp("Of the clients, that stop reading.", valueName: "0…0.9")) var share = 0.1
    @Option(help: ArgumentHelp("Entries per second to everyone.", valueName: "per second")) var rate = 20.0
    @Option(help: ArgumentHelp("Length of the message each client gets.", valueName: "bytes")) var bytes = 8_000
    @Option(help: ArgumentHelp("Turns of each kind, --seconds long.", valueName: "count")) var rounds = 3
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if !(0...0.9).contains(share) { throw ValidationError("--share: from 0 to 0.9") }
        if !(1...100).contains(rounds) { throw ValidationError("--rounds: from 1 to 100") }
        try checkBytes(bytes)
        try checkRate(rate, "--rate", zeroMeans: false)
    }

    func run() throws {
        var slow = Slow()
        slow.common = how.scenario(clients: 1_000, seconds: 10)
        slow.share = share
        slow.rate = rate
        slow.bytes = bytes
        slow.rounds = rounds
        try measure("slow", how, try server.choice()) { try slow.run($0) }
    }
}

struct SoakCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak", abstract: "A mixed load for long: what the hub holds must not keep growing, and nothing may get lost.",
        discussion: """
            Clients follow a broadcast and their inbox, both are published to at their rates, people write to each other beside them,
            and from time to time all listeners are cut and come back. Resident memory, descriptors and threads of the hub are read all
            along. The run fails when an entry, a message or a receipt is missing or comes twice, when the median of the memory has
            grown both from the second to the third and to the last quarter of the time, or when descriptors or threads are left over. The
            broker inside a hub that the bench starts keeps what was published; so much growth is allowed.

              hub-bench soak --seconds 3600 --html soak.html
            """)
    @Option(help: ArgumentHelp("Entries per second to everyone.", valueName: "per second")) var rate = 5.0
    @Option(help: ArgumentHelp("Entries per second to one inbox after the other; 0: none.", valueName: "per second")) var inboxRate = 20.0
    @Option(help: ArgumentHelp("People beside the clients, two and two; 0: none.", valueName: "count")) var talkers = 100
    @Option(help: ArgumentHelp("Messages per second over all people.", valueName: "per second")) var messageRate = 20.0
    @Option(help: ArgumentHelp("Seconds between two cuts; 0: none.", valueName: "seconds")) var cutEvery = 60.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        try checkRate(rate, "--rate", zeroMeans: false)
        try checkRate(inboxRate, "--inbox-rate", zeroMeans: true)
        if !(cutEvery >= 0) { throw ValidationError("--cut-every: 0 or more") }
        if talkers < 0 || !talkers.isMultiple(of: 2) { throw ValidationError("--talkers: an even number") }
        if talkers > 0 { try checkRate(messageRate, "--message-rate", zeroMeans: false) }
    }

    func run() throws {
        var soak = Soak()
        soak.common = how.scenario(clients: 1_000, seconds: 600)
        soak.rate = rate
        soak.inboxRate = inboxRate
        soak.talkers = talkers
        soak.messageRate = messageRate
        soak.cutEvery = cutEvery
        try measure("soak", how, try server.choice()) { [try soak.run($0)] }
    }
}

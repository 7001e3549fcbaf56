import ArgumentParser
import Load

struct ConnectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "From the TCP connection to a subscribed session: connects per second and processor time each.",
        discussion: """
            Every client has its own token, which the hub has not seen before, so the hub checks a signature for each. Tokens with rs256
            take longer to make, those with es256 longer to check. Then all clients disconnect and reconnect with the same tokens, whose
            checks the hub has cached.
            """)
    @Option(help: ArgumentHelp("Connections started per second; 0: --concurrency at a time.", valueName: "per second")) var rate =
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
            Reads the server's resident memory from /proc while the clients connect and when all are connected. The kernel's memory for
            both ends of the sockets is reported separately. With --compressed every session has agreed to permessage-deflate.
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
            Each client acknowledges entry after entry. At the end the cursors in the database must agree with the replies. By default a
            client sends the next ack when the reply arrives. With --rate it sends acks on schedule, and latencies count from the scheduled
            times. The goal is for the user-space processor time per ack of the hub's loop and store threads; longer runs are more exact.
            """)
    @Option(help: ArgumentHelp("Entries in the channel: the most acks one client can give.", valueName: "count")) var entries = 3_000
    @Option(help: ArgumentHelp("Acks in flight per client.", valueName: "count")) var window = 1
    @Option(help: ArgumentHelp("Acks per second over all clients; 0: each after a reply.", valueName: "per second")) var rate = 0.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if !(2...100_000).contains(entries) { throw ValidationError("--entries: from 2 to 100000") }
        if !(1...60).contains(window) { throw ValidationError("--window: from 1 to 60, as many as the hub takes of one session at once") }
        try checkRate(rate, "--rate", zeroMeans: true)
        if rate > 0, window != 1 { throw ValidationError("--rate sends on schedule: do not combine it with --window") }
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
        commandName: "durable", abstract: "Kafka → commit in PostgreSQL → socket, at a given rate or as fast as possible.",
        discussion:
            "Each event goes to one user's inbox. Latency counts from the scheduled time of an event, even if it was published later.")
    @Option(help: ArgumentHelp("Events per second; 0: as many as possible.", valueName: "per second")) var rate = 2_000.0
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
        commandName: "messages", abstract: "Messages between users: latency until received, and until the delivered and read receipts.",
        discussion:
            "Clients write in pairs: one sends on schedule, the other acknowledges and reads. Latencies count from the scheduled times."
    )
    @Option(help: ArgumentHelp("Messages per second over all pairs.", valueName: "per second")) var rate = 500.0
    @Option(help: ArgumentHelp("Length of a message's body.", valueName: "bytes")) var body = 120
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    /// Settings of a hub whose people write faster than people do.
    static let unbounded = ["limits.sends-per-second=0", "limits.sends-to-one-per-second=0", "limits.unanswered=0"]

    func validate() throws {
        try checkRate(rate, "--rate", zeroMeans: false)
        if !(1...8_000).contains(body) { throw ValidationError("--body: from 1 to 8000 bytes") }
        if let clients = how.clients, clients < 2 { throw ValidationError("--clients: at least 2, because they write in pairs") }
    }

    func run() throws {
        var messages = Messages()
        messages.common = how.scenario(clients: 200, seconds: 5)
        messages.rate = rate
        messages.bodyBytes = body
        var choice = try server.choice()
        choice.settings += Self.unbounded
        try measure("messages", how, choice) { [try messages.run($0)] }
    }
}

struct StormCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "storm", abstract: "All clients are disconnected at once, reconnect and resume.",
        discussion: """
            Each client follows a broadcast and its own inbox. All connections are reset at once, and meanwhile entries are published to
            both. Then all clients reconnect and send the last number that they have of each channel. The run fails unless every client
            gets each entry once and in order. Latency counts from the time when all may reconnect until a client has every missed entry.
            The database round trips and the store's orders per client are reported too.

              hub-bench storm --clients 18000 --inbox 2
              hub-bench storm --kill                       the hub is killed instead (SIGKILL), and started again
            """)
    @Option(help: ArgumentHelp("Entries published to all clients meanwhile.", valueName: "count")) var missed = 20
    @Option(help: ArgumentHelp("Entries published to each client's inbox meanwhile.", valueName: "count")) var inbox = 1
    @Flag(help: "Kill the hub (SIGKILL) and start it again, instead of resetting the connections.") var kill = false
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        if missed < 0 || inbox < 0 || missed + inbox == 0 { throw ValidationError("--missed and --inbox: one must be more than 0") }
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
        commandName: "slow", abstract: "A share of the clients stops reading: latency of the other clients, and memory of the hub.",
        discussion: """
            The same load in two alternating kinds of turns: all clients read, or a share does not. These have small socket buffers, so that
            the hub has to queue or drop their entries. After each turn they read again, and the run fails unless each has every entry once.
            It reports the other clients' latencies in both kinds of turns, their ratio in each round, and the hub's memory over time.
            """)
    @Option(help: ArgumentHelp("The share of the clients that stop reading.", valueName: "0…0.9")) var share = 0.1
    @Option(help: ArgumentHelp("Entries per second to all clients.", valueName: "per second")) var rate = 20.0
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
        commandName: "soak", abstract: "A mixed load for a long time: the hub's memory must not keep growing, and no entry may get lost.",
        discussion: """
            Clients follow a broadcast and their own inbox, and entries are published to both. Other users write to each other. From time to
            time all listeners are disconnected and reconnect. The hub's resident memory, descriptors and threads are read throughout. The
            run fails if an entry, a message or a receipt is missing or delivered twice, if the median of the memory has grown both from the
            second quarter of the time to the third and from there to the last, or if descriptors or threads are left over. The broker
            inside a hub that the bench starts keeps the published records, so growth by their size is allowed.

              hub-bench soak --seconds 3600 --html soak.html
            """)
    @Option(help: ArgumentHelp("Entries per second to all clients.", valueName: "per second")) var rate = 5.0
    @Option(help: ArgumentHelp("Entries per second to one inbox after the other; 0: none.", valueName: "per second")) var inboxRate = 20.0
    @Option(help: ArgumentHelp("Users who write to each other in pairs; 0: none.", valueName: "count")) var talkers = 100
    @Option(help: ArgumentHelp("Messages per second over all these users.", valueName: "per second")) var messageRate = 20.0
    @Option(help: ArgumentHelp("Seconds between two disconnections; 0: none.", valueName: "seconds")) var cutEvery = 60.0
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
        var choice = try server.choice()
        choice.settings += MessagesCommand.unbounded
        try measure("soak", how, choice) { [try soak.run($0)] }
    }
}

import ArgumentParser
import Dialect
import Load
import Report

struct FanoutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout", abstract: "One entry, or a burst of entries, to all clients: processor time per delivery.",
        discussion: """
            The hub's entries pass through Kafka, PostgreSQL's commit, the bus and the socket. Other servers get them from one publisher
            connection. By default each is published when all clients have the one before, so that none share a write. With --rate they
            are published on schedule, and latencies count from the scheduled times. While the hub delivers, one more client acknowledges
            entries of its own inbox, and the latency of its acks is reported.
            """)
    @Option(help: ArgumentHelp("Length of the message each client gets.", valueName: "bytes")) var bytes = 300
    @Option(help: ArgumentHelp("Entries published together.", valueName: "count")) var burst = 1
    @Option(help: ArgumentHelp("Publications per second; 0: each when all have the one before.", valueName: "per second")) var rate = 0.0
    @Option(help: ArgumentHelp("Interval of the additional client's acks; 0: none.", valueName: "milliseconds")) var probe = 20
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        try checkBytes(bytes)
        if !(1...10_000).contains(burst) { throw ValidationError("--burst: from 1 to 10000") }
        try checkRate(rate, "--rate", zeroMeans: true)
        if !(0...60_000).contains(probe) { throw ValidationError("--probe: from 0 (none) to 60000 ms") }
    }

    func run() throws {
        var fanout = Fanout()
        fanout.common = how.scenario(clients: 1_000, seconds: 5)
        fanout.bytes = bytes
        fanout.burst = burst
        fanout.rate = rate
        fanout.probeEvery = probe > 0 ? .milliseconds(probe) : nil
        try measure("fanout", how, try server.choice()) { [try fanout.run($0)] }
    }
}

struct EchoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo", abstract: "Every message comes back: processor time per round trip.",
        discussion: "By default through `hub echo`, the hub's own connection code; every echo is compared with what was sent.")
    @Option(help: ArgumentHelp("Length of a message, at least 16.", valueName: "bytes")) var bytes = 300
    @Option(help: ArgumentHelp("Messages per second and client; 0: always one in flight.", valueName: "per second")) var rate = 0.0
    @OptionGroup var server: ServerOptions
    @OptionGroup var how: RunOptions

    func validate() throws {
        try checkBytes(bytes)
        try checkRate(rate, "--rate", zeroMeans: true)
    }

    func run() throws {
        var echo = Echo()
        echo.common = how.scenario(clients: 1_000, seconds: 5)
        echo.bytes = bytes
        echo.rate = rate
        try measure("echo", how, try server.choice(default: .hubEcho)) { [try echo.run($0)] }
    }
}

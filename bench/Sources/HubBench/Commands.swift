import ArgumentParser
import Dialect
import Load
import Report

struct FanoutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fanout", abstract: "One entry, or a burst, to every client: processor time per delivery.",
        discussion: """
            The hub's entries take the whole way: Kafka, PostgreSQL's commit, the bus, the socket. Other servers get them from one publisher's
            connection. By default the next is published when everyone has the last, so that none are joined into one write; with --rate
            they come at intended moments, and latencies count from those. Beside the hub's subscribers another client acknowledges
            entries of its own, and its latency is told.
            """)
    @Option(help: ArgumentHelp("Length of the message each client gets.", valueName: "bytes")) var bytes = 300
    @Option(help: ArgumentHelp("Entries published together.", valueName: "count")) var burst = 1
    @Option(help: ArgumentHelp("Publications per second; 0: the next when everyone has the last.", valueName: "per second")) var rate = 0.0
    @Option(help: ArgumentHelp("Distance of the other client's acks; 0: none.", valueName: "milliseconds")) var probe = 20
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
    @Option(help: ArgumentHelp("Messages per second and client; 0: one is always on its way.", valueName: "per second")) var rate = 0.0
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

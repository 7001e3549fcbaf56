import ArgumentParser
import Linux
import Load

@main
struct HubBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hub-bench",
        abstract: "Load for the hub, or for any plain WebSocket server: what it costs, how long it takes, what gets lost.",
        discussion: """
            Every scenario starts the server by itself unless told where one runs, puts it on one processor and the clients on another,
            counts every delivery and every reply, and fails when one is missing. Figures are the server's processor time for each
            operation, and latencies from the moment something was to begin.

              hub-bench fanout                          one 300 B entry to 1 000 sessions, again and again
              hub-bench fanout --server bare-c          the same through a bare C server: the kernel's price
              hub-bench fanout --clients 10000 --burst 20 --compressed
              hub-bench durable --rate 2000             Kafka → PostgreSQL → socket, open loop
              hub-bench storm --clients 18000           everyone is cut and comes back
              hub-bench echo --json echo.json --html echo.html

            `hub-bench help SCENARIO` tells the parameters of each.
            """,
        subcommands: [
            ConnectCommand.self, IdleCommand.self, FanoutCommand.self, EchoCommand.self, AcksCommand.self, DurableCommand.self,
            MessagesCommand.self, StormCommand.self, SlowCommand.self, SoakCommand.self, CompareCommand.self, WorkerCommand.self,
        ])

    static func main() {
        // Before any thread is started: all inherit it, and Ctrl-C is read by whoever leads the run.
        Signals.block()
        Self.main(nil)
    }
}

/// What the bench starts itself as.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "A generator process; started by the others.", shouldDisplay: false)

    func run() throws { try Worker.run() }
}

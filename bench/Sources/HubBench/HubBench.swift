import ArgumentParser
import Linux
import Load

@main
struct HubBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hub-bench",
        abstract: "Load for the hub or any plain WebSocket server: measures processor time, latency, memory and losses.",
        discussion: """
            Every scenario starts the server, or uses a running one (--url). It runs the server on one processor and the clients on another,
            counts every delivery and every reply, and fails if one is missing. It reports the server's processor time for each operation,
            and latencies from the scheduled time of the operation.

              hub-bench fanout                          one 300 B entry to 1 000 sessions, again and again
              hub-bench fanout --server bare-c          the same with a bare C server: little but system calls
              hub-bench fanout --clients 10000 --burst 20 --compressed
              hub-bench durable --rate 2000             Kafka → PostgreSQL → socket, open loop
              hub-bench storm --clients 18000           all clients are disconnected and reconnect
              hub-bench many                            100 000 sessions on several hubs
              hub-bench cluster                         several hubs on one database; one is killed, one stands still
              hub-bench echo --json echo.json --html echo.html

            `hub-bench help SCENARIO` shows the options of each.
            """,
        subcommands: [
            ConnectCommand.self, IdleCommand.self, FanoutCommand.self, EchoCommand.self, AcksCommand.self, DurableCommand.self,
            MessagesCommand.self, StormCommand.self, SlowCommand.self, ManyCommand.self, SoakCommand.self,
            ClusterCommand.self,
            CompareCommand.self, WorkerCommand.self,
        ])

    static func main() {
        // Signals are blocked before any thread starts, because threads inherit the mask. The conductor of the run reads Ctrl-C.
        Signals.block()
        Self.main(nil)
    }
}

/// The command with which the bench starts its worker processes.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "A generator process; the other commands start it.", shouldDisplay: false)

    func run() throws { try Worker.run() }
}

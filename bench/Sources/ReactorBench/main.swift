import Linux
import Reactor

// The reactor's cost of a delivery and of an echo, for comparison with bare C (bench/baseline). Called by bench/run.
// reactor-bench send CONNECTIONS ROUNDS FRAMES BYTES | echo | balance LOOPS CONNECTIONS | deadlines CONNECTIONS

func fail(_ reason: String) -> Never {
    Console.error("\(reason)\n")
    Process.exit(1)
}

let words = Array(CommandLine.arguments.dropFirst())
let numbers = words.dropFirst().map { Int($0) ?? 0 }
do {
    switch (words.first, numbers.count) {
    case ("send", 4): try SendBench(connections: numbers[0], rounds: numbers[1], frames: numbers[2], bytes: numbers[3]).run()
    case ("echo", 0): try EchoBench().run()
    case ("balance", 2): try BalanceBench.run(loops: numbers[0], connections: numbers[1])
    case ("deadlines", 1): try DeadlineBench(connections: numbers[0]).run()
    default: fail("usage: reactor-bench send CONNECTIONS ROUNDS FRAMES BYTES | echo | balance LOOPS CONNECTIONS | deadlines CONNECTIONS")
    }
} catch {
    fail("\(error)")
}

import Linux

/// Nanoseconds of this process's processor time for one operation. The time of other processes does not count, but their effect on the
/// caches does.
struct Stopwatch {
    private let body: Benchmark.Body
    private let name: String
    private let times: Int

    /// Determines the number of repetitions for which a round lasts `round`.
    init(_ name: String, _ body: @escaping Benchmark.Body, round: Duration) throws {
        self.body = body
        self.name = name
        var times = 16
        while true {
            let took = try Self.time(name, body, times)
            if took * 4 >= round {
                self.times = max(1, times * Int(round.wholeNanoseconds) / Int(max(1, took.wholeNanoseconds)))
                return
            }
            times *= 4
        }
    }

    func nanoseconds() throws -> Double {
        Double(try Self.time(name, body, times).wholeNanoseconds) / Double(times)
    }

    private static func time(_ name: String, _ body: Benchmark.Body, _ times: Int) throws -> Duration {
        let start = Linux.Machine.processorTimes
        let done = try body(times)
        let end = Linux.Machine.processorTimes
        guard done >= times else { throw Failure("\(name): only \(done) of \(times) operations did what they should") }
        return end.user + end.system - start.user - start.system
    }
}

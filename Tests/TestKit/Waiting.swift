import Linux
public import Postgres

/// Looks again every few milliseconds until it is so. The test's time limit bounds it. Gives its thread away meanwhile: the tests'
/// tasks share as many as there are cores, and what is waited for may need one.
public func until(_ condition: () throws -> Bool) async throws {
    while try !condition() { try await Task.sleep(for: .milliseconds(3)) }
}

/// Runs a non-blocking connection from a test.
extension Connection {
    public static func open(_ address: String) throws -> Connection {
        let connection = try Connection(address, applicationName: "tests")
        var progress = Progress.writing
        while progress != .ready {
            try wait(for: connection.descriptor, progress == .reading ? .readable : .writable)
            progress = try connection.proceed()
        }
        return connection
    }

    /// Sends what is queued and waits until everything is answered.
    public func exchange() throws -> [Answer] {
        var answers: [Answer] = []
        while outstanding > 0 {
            try Self.wait(for: descriptor, try flush() ? [.readable, .writable] : .readable)
            try receive { answers.append($0) }
        }
        return answers
    }

    private static func wait(for descriptor: Int32, _ interest: Poller.Readiness) throws {
        let poller = try Poller()
        try poller.add(descriptor, interest, token: 0)
        _ = try poller.wait(milliseconds: 10_000)
    }
}

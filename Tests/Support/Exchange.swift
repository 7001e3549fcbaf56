import Foundation
public import Postgres

/// Runs a non-blocking connection from a test, waiting with poll(2).
extension Connection {
    public static func open(_ address: String) throws -> Connection {
        let connection = try Connection(address, applicationName: "tests")
        var progress = Progress.writing
        while progress != .ready {
            ready(connection.descriptor, progress == .reading ? POLLIN : POLLOUT)
            progress = try connection.proceed()
        }
        return connection
    }

    /// Sends what is queued and waits until everything is answered.
    public func exchange() throws -> [Answer] {
        var answers: [Answer] = []
        while outstanding > 0 {
            let writing = try flush()
            Self.ready(descriptor, POLLIN | (writing ? POLLOUT : 0))
            try receive { answers.append($0) }
        }
        return answers
    }

    private static func ready(_ descriptor: Int32, _ events: Int32) {
        var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        _ = unsafe poll(&waiting, 1, 10_000)
    }
}

import Linux
public import Testing

/// Ends the process, and names the test, when a test does not end.
///
/// A time limit of Swift Testing cancels the test's task. A test that spins, or that waits in the kernel, does not notice: it would hold
/// the whole run until somebody else stops it, and nobody would know which test it was.
public struct HangGuard: SuiteTrait, TestTrait, TestScoping {
    fileprivate let limit: Duration

    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let watched = HangWatch.shared.begin("\(test.name) of \(test.sourceLocation.fileID)", limit)
        defer { HangWatch.shared.end(watched) }
        try await function()
    }
}

extension Trait where Self == HangGuard {
    /// For suites whose tests take moments. The limit is wide because tests share the machine with others.
    public static var guarded: HangGuard { HangGuard(limit: .seconds(240)) }
}

/// One thread that looks at all tests that run.
private final class HangWatch: Sendable {
    static let shared = HangWatch()

    private struct Watched {
        var name: String
        var ends: MonotonicInstant
    }

    private struct Table {
        var next = 0
        var running: [Int: Watched] = [:]
    }

    private let table = Locked(Table())

    private init() {
        let table = table
        _ = try? Thread.spawn(name: "hang guard") {
            while true {
                Thread.pause(.seconds(1))
                let late = table.withLock { table in table.running.values.first { $0.ends < .now } }
                if let late { fatalError("this test hangs: \(late.name)") }
            }
        }
    }

    func begin(_ name: String, _ limit: Duration) -> Int {
        table.withLock { table in
            table.next += 1
            table.running[table.next] = Watched(name: name, ends: .now + limit)
            return table.next
        }
    }

    func end(_ id: Int) {
        table.withLock { table in table.running[id] = nil }
    }
}

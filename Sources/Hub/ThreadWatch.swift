import Linux
import Reactor

/// A thread that has shown no sign of life for too long.
struct SilentThread: Equatable {
    let name: String
    let silence: Duration
}

/// The signs of life of the threads that serve. A thread that hangs does not come back by itself, so the hub says that it is not ready,
/// and later that it must be restarted.
final class ThreadWatch: Sendable {
    private struct Watched {
        let name: String
        let heartbeat: Heartbeat
        let silentAfter: Duration
    }

    /// No turn of a loop takes nearly as long, also on a machine that does other work.
    static let silentAfter: Duration = .seconds(10)
    /// Longer than operations that end by themselves take, such as the look-up of a host's name by libpq.
    static let lostAfter: Duration = .seconds(60)

    private let threads = Locked<[Watched]>([])
    private let clock: @Sendable () -> MonotonicInstant

    init(clock: @escaping @Sendable () -> MonotonicInstant = { .now }) { self.clock = clock }

    func watch(_ name: String, _ heartbeat: Heartbeat, silentAfter: Duration = silentAfter) {
        threads.withLock { $0.append(Watched(name: name, heartbeat: heartbeat, silentAfter: silentAfter)) }
    }

    /// How long each thread has shown no sign of life.
    var silences: [SilentThread] {
        let now = clock()
        return threads.withLock { $0.map { SilentThread(name: $0.name, silence: $0.heartbeat.silence(at: now)) } }
    }

    /// Threads that have been silent for longer than they may.
    var silent: [SilentThread] {
        let now = clock()
        return threads.withLock { threads in
            threads.compactMap { thread in
                let silence = thread.heartbeat.silence(at: now)
                return silence > thread.silentAfter ? SilentThread(name: thread.name, silence: silence) : nil
            }
        }
    }

    /// Threads of which nothing more is to be expected.
    var lost: [SilentThread] { silent.filter { $0.silence > Self.lostAfter } }
}

/// Which threads have become silent since the last look, and which run again: for the log.
struct SilenceReport {
    private var known: Set<String> = []

    mutating func look(_ silent: [SilentThread]) -> (new: [SilentThread], back: [String]) {
        let names = Set(silent.map(\.name))
        defer { known = names }
        return (silent.filter { !known.contains($0.name) }, known.subtracting(names).sorted())
    }
}

import Linux

/// How the loop lets other threads run between the slices of its background work, while it waits for an answer of one of them.
///
/// Yielding is enough among threads of one scheduling group. A process of another group (PostgreSQL has its own where the kernel groups
/// processes by session or by service) may get nothing from a processor that one thread keeps busy: it was seen to wait for 180 ms in the
/// middle of a transaction while a broadcast went out. A thread that sleeps leaves the processor to any other.
struct Courtesy {
    enum Act: Equatable {
        case goOn
        case yield
        case standAside
    }

    /// When no answer came for so long, the thread that answers may lack the processor.
    static let patience: Duration = .milliseconds(4)
    static let aside: Duration = .milliseconds(1)

    /// An answer of another thread is awaited.
    var awaits = false
    /// An answer came in this turn.
    var heard = false

    /// Since when nothing was heard or left to others; nil: nothing is awaited.
    private var since: MonotonicInstant?

    /// Called once, at the end of each turn.
    /// - Parameter isBusy: there are more slices.
    mutating func act(isBusy: Bool, at now: MonotonicInstant) -> Act {
        defer { heard = false }
        guard awaits, isBusy else {
            since = nil
            return .goOn
        }
        guard let since, !heard else {
            since = now
            return .yield
        }
        guard now - since >= Self.patience else { return .yield }
        self.since = now + Self.aside
        return .standAside
    }
}

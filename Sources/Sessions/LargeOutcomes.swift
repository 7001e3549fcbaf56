import Messaging
import StoreAPI

/// Pages that the store has answered and that wait for their turn. Writing and sending a page of a megabyte takes milliseconds: a turn sends
/// few of them, and everything else goes ahead.
struct LargeOutcomes: ~Copyable {
    /// Smaller pages are sent in the turn in which they come.
    static let largeBytes = 16 << 10
    /// A turn sends no further page after so many bytes.
    static let turnBytes = 256 << 10
    /// What an entry has besides its content, about.
    private static let headBytes = 256

    private var waiting: [StoreOutcome] = []
    private var next = 0

    var isEmpty: Bool { waiting.isEmpty }

    /// Keeps the outcome when it is large; otherwise returns false.
    mutating func keeps(_ outcome: StoreOutcome) -> Bool {
        guard Self.bytes(of: outcome.reply) > Self.largeBytes else { return false }
        waiting.append(outcome)
        return true
    }

    /// The outcomes of one turn: at least one when any waits.
    mutating func takeTurn() -> [StoreOutcome] {
        var (turn, bytes): ([StoreOutcome], Int) = ([], 0)
        while next < waiting.count, bytes < Self.turnBytes {
            turn.append(waiting[next])
            bytes += Self.bytes(of: waiting[next].reply)
            // The page goes with its turn; only an empty reply stays behind.
            waiting[next].reply = .failed(.unavailable)
            next += 1
        }
        if next == waiting.count {
            waiting = []
            next = 0
        } else if next * 2 >= waiting.count {
            waiting.removeFirst(next)
            next = 0
        }
        return turn
    }

    private static func bytes(of reply: StoreReply) -> Int {
        guard case .page(let entries, _, _) = reply else { return 0 }
        return entries.reduce(0) { $0 + $1.draft.content.utf8.count + headBytes }
    }
}

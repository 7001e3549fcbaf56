/// The seats that lost their connection and try to come back, each after a pause of its own, at one port after the other.
struct Returning {
    private let ports: [UInt16]
    private var attempts: [Int]
    /// When each seat lost its connection; 0: it has one.
    private var lostAt: [Int64]
    private var waiting: [(seat: Int, at: Int64)] = []
    /// The pauses differ, so that not all come at the same time, and are the same in each run.
    private var spread: UInt64 = 1
    private static let shortestPause: Int64 = 50_000_000
    private static let longestPause: Int64 = 500_000_000

    init(_ ports: [UInt16], seats: Int) {
        self.ports = ports
        attempts = Array(repeating: 0, count: seats)
        lostAt = Array(repeating: 0, count: seats)
    }

    /// Whether the seat had a connection until now. A refused attempt to come back is not another loss.
    mutating func lost(_ seat: Int, at now: Int64) -> Bool {
        spread = spread &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        waiting.append((seat, now + Self.shortestPause + Int64(spread >> 33) % (Self.longestPause - Self.shortestPause)))
        guard lostAt[seat] == 0 else { return false }
        lostAt[seat] = now
        return true
    }

    /// A seat whose pause is over, and the port that it tries.
    mutating func due(_ now: Int64) -> (seat: Int, port: UInt16)? {
        guard let index = waiting.firstIndex(where: { $0.at <= now }) else { return nil }
        let seat = waiting[index].seat
        waiting.swapAt(index, waiting.count - 1)
        waiting.removeLast()
        attempts[seat] += 1
        return (seat, ports[(seat + attempts[seat]) % ports.count])
    }

    var next: Int64? { waiting.lazy.map(\.at).min() }

    /// When the seat lost its connection; nil if it had not.
    mutating func cameBack(_ seat: Int) -> Int64? {
        let since = lostAt[seat]
        lostAt[seat] = 0
        return since > 0 ? since : nil
    }

    var areAllBack: Bool { lostAt.allSatisfy { $0 == 0 } }
}

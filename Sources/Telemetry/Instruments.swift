import Linux
import Synchronization

/// A number that only grows. Safe to add to from any thread; each is written by one thread in practice.
package final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)
    package init() {}
    @inline(__always)
    package func add(_ n: UInt64 = 1) { count.wrappingAdd(n, ordering: .relaxed) }
    package var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
package final class Gauge: Sendable {
    private let current = Atomic<Int64>(0)
    package init() {}
    package func set(_ n: Int64) { current.store(n, ordering: .relaxed) }
    package func add(_ n: Int64) { current.wrappingAdd(n, ordering: .relaxed) }
    package var value: Int64 { current.load(ordering: .relaxed) }
}

/// Durations in fixed buckets (seconds), as Prometheus counts them.
package final class DurationHistogram: Sendable {
    /// Upper bounds in microseconds; the last bucket is open.
    package static let boundsMicroseconds: [UInt64] = [
        250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ]
    private let buckets: [Counter] = (0...DurationHistogram.boundsMicroseconds.count).map { _ in Counter() }
    private let sum = Counter()
    package init() {}

    package func record(microseconds: UInt64) {
        let bucket = Self.boundsMicroseconds.firstIndex { microseconds <= $0 } ?? Self.boundsMicroseconds.count
        buckets[bucket].add()
        sum.add(microseconds)
    }

    package func write(_ name: String, _ help: String, into text: inout String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        var cumulative: UInt64 = 0
        for (i, bound) in Self.boundsMicroseconds.enumerated() {
            cumulative &+= buckets[i].value
            text += "\(name)_bucket{le=\"\(Double(bound) / 1_000_000)\"} \(cumulative)\n"
        }
        cumulative &+= buckets[Self.boundsMicroseconds.count].value
        text += "\(name)_bucket{le=\"+Inf\"} \(cumulative)\n"
        text += "\(name)_sum \(Double(sum.value) / 1_000_000)\n\(name)_count \(cumulative)\n"
    }
}

/// Counters told apart by one label. A label's values come from the code, never from a peer, so the set stays small.
package final class LabelledCounter: Sendable {
    private let counts = Locked<[String: UInt64]>([:])
    package init() {}
    /// Takes a lock: for refusals and failures, not for a frame's path.
    package func add(_ label: String, _ n: UInt64 = 1) { counts.withLock { $0[label, default: 0] &+= n } }
    package var values: [(label: String, count: UInt64)] {
        counts.withLock { $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }
}

/// Yes or no, told by one thread to others.
package final class AtomicFlag: Sendable {
    private let value = Atomic<Bool>(false)
    package init() {}
    package func set(_ new: Bool) { value.store(new, ordering: .relaxed) }
    package var isSet: Bool { value.load(ordering: .relaxed) }
}

import Linux
import Synchronization

/// A number that only grows. Any thread may add to it.
package final class Counter: Instrument {
    private let count = Atomic<UInt64>(0)
    package let metric: Metric

    package init(_ name: String, _ help: String) {
        metric = Metric(name: name, help: help, kind: .counter, labels: [])
    }

    @inline(__always)
    package func add(_ n: UInt64 = 1) { count.wrappingAdd(n, ordering: .relaxed) }
    package var value: UInt64 { count.load(ordering: .relaxed) }

    package func writeSamples(into text: inout MetricsText) { text.sample("\(value)") }
}

/// A number that goes up and down. Any thread may change it.
package final class Gauge: Instrument {
    private let current: Atomic<Int64>
    package let metric: Metric

    package init(_ name: String, _ help: String, initial: Int64 = 0) {
        current = Atomic(initial)
        metric = Metric(name: name, help: help, kind: .gauge, labels: [])
    }

    package func set(_ n: Int64) { current.store(n, ordering: .relaxed) }
    package func add(_ n: Int64) { current.wrappingAdd(n, ordering: .relaxed) }
    package var value: Int64 { current.load(ordering: .relaxed) }

    package func writeSamples(into text: inout MetricsText) { text.sample("\(value)") }
}

/// Counters distinguished by one label. A label's values come from the code, never from a peer, so the set stays small.
package final class LabelledCounter: Instrument {
    private let counts = Locked<[String: UInt64]>([:])
    package let metric: Metric

    package init(_ name: String, _ help: String, label: String) {
        metric = Metric(name: name, help: help, kind: .counter, labels: [label])
    }

    /// Takes a lock: for refusals and failures, not for every frame.
    package func add(_ label: String, _ n: UInt64 = 1) { counts.withLock { $0[label, default: 0] &+= n } }
    package var values: [(label: String, count: UInt64)] {
        counts.withLock { $0.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }

    package func writeSamples(into text: inout MetricsText) {
        for (label, count) in values { text.sample("\(count)", labels: [label]) }
    }
}

/// Durations in fixed buckets, published in seconds.
package final class DurationHistogram: Instrument {
    /// Upper bounds in microseconds; the last bucket has none.
    package static let boundsMicroseconds: [UInt64] = [
        250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ]
    private let buckets = InlineArray<16, Atomic<UInt64>> { _ in Atomic(0) }
    private let sum = Atomic<UInt64>(0)
    package let metric: Metric

    package init(_ name: String, _ help: String) {
        metric = Metric(name: name, help: help, kind: .histogram, labels: [])
    }

    package func record(microseconds: UInt64) {
        let bucket = Self.boundsMicroseconds.firstIndex { microseconds <= $0 } ?? Self.boundsMicroseconds.count
        buckets[bucket].wrappingAdd(1, ordering: .relaxed)
        sum.wrappingAdd(microseconds, ordering: .relaxed)
    }

    package func writeSamples(into text: inout MetricsText) {
        var cumulative: UInt64 = 0
        for index in buckets.indices {
            cumulative &+= buckets[index].load(ordering: .relaxed)
            let isOpen = index == Self.boundsMicroseconds.count
            let bound = isOpen ? "+Inf" : "\(Double(Self.boundsMicroseconds[index]) / 1_000_000)"
            text.sample("\(cumulative)", suffix: "_bucket", extra: ("le", bound))
        }
        text.sample("\(Double(sum.load(ordering: .relaxed)) / 1_000_000)", suffix: "_sum")
        text.sample("\(cumulative)", suffix: "_count")
    }
}

/// Numbers by a label whose values come and go.
package final class LabelledGauge: Instrument {
    private let state = Locked<[String: Double]>([:])
    package let metric: Metric

    package init(_ name: String, _ help: String, label: String) {
        metric = Metric(name: name, help: help, kind: .gauge, labels: [label])
    }

    /// Replaces all values.
    package func set(_ values: [String: Double]) { state.withLock { $0 = values } }

    package var values: [String: Double] { state.withLock { $0 } }

    package func writeSamples(into text: inout MetricsText) {
        for (label, value) in values.sorted(by: { $0.key < $1.key }) {
            text.sample(Int64(exactly: value).map { "\($0)" } ?? "\(value)", labels: [label])
        }
    }
}

/// Numbers that are computed when the metrics are read. The closure runs on the thread that answers `/metrics`.
package final class Reading: Instrument {
    /// One number, with a value for each of the metric's labels.
    package typealias Sample = (labels: [String], value: Double)

    private let read: @Sendable () -> [Sample]
    package let metric: Metric

    package init(_ name: String, _ help: String, _ kind: Metric.Kind = .gauge, read: @escaping @Sendable () -> Double) {
        metric = Metric(name: name, help: help, kind: kind, labels: [])
        self.read = { [([], read())] }
    }

    package init(
        _ name: String, _ help: String, _ kind: Metric.Kind = .gauge, labels: [String], read: @escaping @Sendable () -> [Sample]
    ) {
        metric = Metric(name: name, help: help, kind: kind, labels: labels)
        self.read = read
    }

    package func writeSamples(into text: inout MetricsText) {
        for sample in read() { text.sample(Int64(exactly: sample.value).map { "\($0)" } ?? "\(sample.value)", labels: sample.labels) }
    }
}

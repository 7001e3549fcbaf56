internal import Histogram

/// Latencies as an HdrHistogram of nanoseconds with three significant digits. It counts every value, is as exact in the tail as in the
/// middle, and can be merged with another. Its serialized form is small enough to be sent from a worker process to its parent.
public struct LatencyRecorder: Sendable {
    /// Higher values are counted as this one. No run lasts longer.
    public static let highestNanoseconds: UInt64 = 3_600_000_000_000
    public static let toldPercentiles: [Double] = [50, 90, 99, 99.9, 99.99, 100]

    private var histogram = Histogram<UInt64>()

    public init() {}

    public var count: UInt64 { histogram.totalCount }
    public var isEmpty: Bool { histogram.totalCount == 0 }
    public var meanNanoseconds: Double { isEmpty ? 0 : histogram.mean }
    public var minNanoseconds: UInt64 { isEmpty ? 0 : histogram.min }
    public var maxNanoseconds: UInt64 { nanoseconds(atPercentile: 100) }

    /// Counts from the time when the operation was scheduled, even if the generator started it later. Otherwise a stall of the server that
    /// delays the generator would hide the delayed requests (coordinated omission). Both times are nanoseconds of one monotonic clock.
    public mutating func record(intended: Int64, at end: Int64) {
        record(nanoseconds: end - intended)
    }

    public mutating func record(nanoseconds: Int64) { record(nanoseconds: nanoseconds, count: 1) }

    /// Counts the same value several times, for example when one read returned a whole burst.
    public mutating func record(nanoseconds: Int64, count: UInt64) {
        guard count > 0 else { return }
        histogram.record(min(UInt64(max(nanoseconds, 0)), Self.highestNanoseconds), count: count)
    }

    public mutating func merge(_ other: LatencyRecorder) {
        for (value, count) in other.buckets { record(nanoseconds: Int64(clamping: value), count: count) }
    }

    /// The least value that is not exceeded by this percentage of the values; 100 gives the greatest value. 0 if there are none.
    public func nanoseconds(atPercentile percentile: Double) -> UInt64 {
        isEmpty ? 0 : histogram.valueAtPercentile(percentile)
    }

    /// The percentage of the values that are at most this.
    public func percentile(ofNanoseconds value: UInt64) -> Double {
        isEmpty ? 100 : histogram.percentileAtOrBelowValue(value)
    }

    /// The recorded values in ascending order, and their counts. Each is the top of its bucket; the last is the exact greatest value.
    public var buckets: [(nanoseconds: UInt64, count: UInt64)] {
        histogram.recordedValues().map { (min($0.value, histogram.maxRecorded), $0.count) }
    }
}

extension LatencyRecorder: Equatable {
    public static func == (a: LatencyRecorder, b: LatencyRecorder) -> Bool {
        a.buckets.elementsEqual(b.buckets) { $0 == $1 }
    }
}

/// `{"nanoseconds": [1000, 1005], "counts": [17, 3]}`, which other tools can read.
extension LatencyRecorder: Codable {
    private enum CodingKeys: CodingKey { case nanoseconds, counts }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let values = try container.decode([UInt64].self, forKey: .nanoseconds)
        let counts = try container.decode([UInt64].self, forKey: .counts)
        guard values.count == counts.count else {
            throw DecodingError.dataCorruptedError(forKey: .counts, in: container, debugDescription: "as many counts as values")
        }
        for (value, count) in zip(values, counts) { record(nanoseconds: Int64(clamping: value), count: count) }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let buckets = buckets
        try container.encode(buckets.map(\.nanoseconds), forKey: .nanoseconds)
        try container.encode(buckets.map(\.count), forKey: .counts)
    }
}

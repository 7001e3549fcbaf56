internal import Histogram

/// How long something took, as an HdrHistogram of nanoseconds with three significant digits: nothing is sampled away, the tail is as
/// exact as the middle, and two of them add up to one. Its serial form is small, so a worker process can hand it to its parent.
public struct LatencyRecorder: Sendable {
    /// A value above is counted as this one: no run lasts longer.
    public static let highestNanoseconds: UInt64 = 3_600_000_000_000
    public static let toldPercentiles: [Double] = [50, 90, 99, 99.9, 99.99, 100]

    private var histogram = Histogram<UInt64>()

    public init() {}

    public var count: UInt64 { histogram.totalCount }
    public var isEmpty: Bool { histogram.totalCount == 0 }
    public var meanNanoseconds: Double { isEmpty ? 0 : histogram.mean }
    public var minNanoseconds: UInt64 { isEmpty ? 0 : histogram.min }
    public var maxNanoseconds: UInt64 { nanoseconds(atPercentile: 100) }

    /// Counted from when it should have begun, not from when the generator came to it: a stall of the server that delays the generator
    /// must not hide the requests it kept from being sent (coordinated omission). Both are nanoseconds of one monotonic clock.
    public mutating func record(intended: Int64, at end: Int64) {
        record(nanoseconds: end - intended)
    }

    public mutating func record(nanoseconds: Int64) { record(nanoseconds: nanoseconds, count: 1) }

    /// The same value for many, as when one read brought a whole burst.
    public mutating func record(nanoseconds: Int64, count: UInt64) {
        guard count > 0 else { return }
        histogram.record(min(UInt64(max(nanoseconds, 0)), Self.highestNanoseconds), count: count)
    }

    public mutating func merge(_ other: LatencyRecorder) {
        for (value, count) in other.buckets { record(nanoseconds: Int64(clamping: value), count: count) }
    }

    /// The value that this percentage of all were at or below; 100 is the greatest one, 0 of nothing.
    public func nanoseconds(atPercentile percentile: Double) -> UInt64 {
        isEmpty ? 0 : histogram.valueAtPercentile(percentile)
    }

    /// The percentage of all that took at most this long.
    public func percentile(ofNanoseconds value: UInt64) -> Double {
        isEmpty ? 100 : histogram.percentileAtOrBelowValue(value)
    }

    /// What was recorded, in ascending order: the top of each bucket, the last one's the greatest value itself, and how often.
    public var buckets: [(nanoseconds: UInt64, count: UInt64)] {
        histogram.recordedValues().map { (min($0.value, histogram.maxRecorded), $0.count) }
    }
}

extension LatencyRecorder: Equatable {
    public static func == (a: LatencyRecorder, b: LatencyRecorder) -> Bool {
        a.buckets.elementsEqual(b.buckets) { $0 == $1 }
    }
}

/// `{"nanoseconds": [1000, 1005], "counts": [17, 3]}`: plain enough for any other tool.
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

/// The hub and one yardstick, measured in turns in one run, so that other load on the machine affects both.
public struct Comparison: Codable, Sendable, Equatable {
    /// One row of the goals: "one 300 B entry to 10 000 sessions". Comparisons with the same title are drawn in one plot.
    public var title: String
    /// "CPU per delivery", "acks made durable"
    public var measure: String
    public var unit: String
    public var subject: String
    public var yardstick: String
    public var pairs: [Pair]
    /// The goal for the ratio subject ÷ yardstick.
    public var goal: Goal?
    public var notes: [String] = []

    public init(
        title: String, measure: String, unit: String, subject: String = "hub", yardstick: String, pairs: [Pair] = [], goal: Goal? = nil
    ) {
        self.title = title
        self.measure = measure
        self.unit = unit
        self.subject = subject
        self.yardstick = yardstick
        self.pairs = pairs
        self.goal = goal
    }

    /// Two measurements that were made one directly after the other.
    public struct Pair: Codable, Sendable, Equatable {
        public var subject: Double
        public var yardstick: Double
        public init(subject: Double, yardstick: Double) {
            self.subject = subject
            self.yardstick = yardstick
        }
        public var ratio: Double { subject / yardstick }
    }

    public var subjectMedian: Double? { median(pairs.map(\.subject)) }
    public var yardstickMedian: Double? { median(pairs.map(\.yardstick)) }
    /// The median of the pairs' ratios, not the ratio of the medians.
    public var ratio: Double? { median(ratios) }
    public var ratioRange: ClosedRange<Double>? {
        guard let least = ratios.min(), let greatest = ratios.max() else { return nil }
        return least...greatest
    }
    public var verdict: Verdict {
        guard let goal else { return .told }
        return ratio.map(goal.verdict) ?? .missed
    }

    /// Pairs whose yardstick could not be measured are left out.
    private var ratios: [Double] { pairs.map(\.ratio).filter(\.isFinite) }
}

public enum Goal: Codable, Sendable, Equatable {
    case atMost(Double)
    case atLeast(Double)

    public var limit: Double {
        switch self {
        case .atMost(let limit), .atLeast(let limit): limit
        }
    }

    public func verdict(on value: Double) -> Verdict {
        switch self {
        case .atMost(let limit): value <= limit ? .reached : .missed
        case .atLeast(let limit): value >= limit ? .reached : .missed
        }
    }
}

public enum Verdict: String, Codable, Sendable {
    case reached, missed
    /// There is no goal; the number is only reported.
    case told
}

/// The median: for an even count, the mean of the two middle values; nil for an empty list.
public func median(_ values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

import Foundation

/// Converts values to positions along an axis, and chooses the tick values.
struct Scale {
    enum Kind { case linear, logarithmic }

    let kind: Kind
    let values: ClosedRange<Double>
    let positions: ClosedRange<Double>

    /// An empty range, or on a logarithmic axis one without positive values, is widened so that it can be drawn.
    init(_ kind: Kind, _ values: ClosedRange<Double>, to positions: ClosedRange<Double>) {
        self.kind = kind
        self.positions = positions
        switch kind {
        case .linear:
            self.values = values.lowerBound < values.upperBound ? values : values.lowerBound...(values.lowerBound + 1)
        case .logarithmic:
            let low = max(values.lowerBound, 1e-9)
            self.values = low...max(values.upperBound, low * 10)
        }
    }

    func position(_ value: Double) -> Double {
        let share =
            switch kind {
            case .linear: (value - values.lowerBound) / (values.upperBound - values.lowerBound)
            case .logarithmic:
                (log10(max(value, values.lowerBound)) - log10(values.lowerBound)) / (log10(values.upperBound) - log10(values.lowerBound))
            }
        return positions.lowerBound + min(max(share, 0), 1) * (positions.upperBound - positions.lowerBound)
    }

    /// The same, for an axis that grows upwards on a page that counts downwards.
    func positionFromBelow(_ value: Double) -> Double { positions.lowerBound + positions.upperBound - position(value) }

    /// Round tick values: 1, 2 or 5 times a power of ten, or only the powers of ten.
    var ticks: [Double] {
        switch kind {
        case .linear: Self.linearTicks(values, about: 5)
        case .logarithmic: logarithmicTicks
        }
    }

    static func linearTicks(_ values: ClosedRange<Double>, about count: Int) -> [Double] {
        let step = roundStep((values.upperBound - values.lowerBound) / Double(count))
        var ticks: [Double] = []
        var index = (values.lowerBound / step).rounded(.up)
        while index * step <= values.upperBound * (1 + 1e-9), ticks.count < 50 {
            ticks.append(index * step)
            index += 1
        }
        return ticks
    }

    /// The least of 1, 2, 5 × 10ⁿ that is not smaller than the value.
    static func roundStep(_ step: Double) -> Double {
        guard step > 0, step.isFinite else { return 1 }
        let power = pow(10, floor(log10(step)))
        return power * ([1, 2, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10)
    }

    private var logarithmicTicks: [Double] {
        let decades = log10(values.upperBound / values.lowerBound)
        let multiples: [Double] = decades > 3.5 ? [1] : decades > 1.6 ? [1, 3] : [1, 2, 5]
        let first = Int(floor(log10(values.lowerBound)))
        let last = Int(ceil(log10(values.upperBound)))
        let visible = values.lowerBound * (1 - 1e-9)...values.upperBound * (1 + 1e-9)
        var ticks: [Double] = []
        for exponent in first...last {
            let power = pow(10, Double(exponent))
            for multiple in multiples where visible.contains(multiple * power) { ticks.append(multiple * power) }
        }
        return ticks
    }
}

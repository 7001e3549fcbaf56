import Foundation

/// Turns values into places along an axis, and chooses the values worth marking.
struct Scale {
    enum Kind { case linear, logarithmic }

    let kind: Kind
    let values: ClosedRange<Double>
    let places: ClosedRange<Double>

    /// A range without extent or, on a logarithmic axis, without positive values is widened to something that can be drawn.
    init(_ kind: Kind, _ values: ClosedRange<Double>, to places: ClosedRange<Double>) {
        self.kind = kind
        self.places = places
        switch kind {
        case .linear:
            self.values = values.lowerBound < values.upperBound ? values : values.lowerBound...(values.lowerBound + 1)
        case .logarithmic:
            let low = max(values.lowerBound, 1e-9)
            self.values = low...max(values.upperBound, low * 10)
        }
    }

    func place(_ value: Double) -> Double {
        let share =
            switch kind {
            case .linear: (value - values.lowerBound) / (values.upperBound - values.lowerBound)
            case .logarithmic:
                (log10(max(value, values.lowerBound)) - log10(values.lowerBound)) / (log10(values.upperBound) - log10(values.lowerBound))
            }
        return places.lowerBound + min(max(share, 0), 1) * (places.upperBound - places.lowerBound)
    }

    /// The same, for an axis that grows upwards on a page that counts downwards.
    func placeFromBelow(_ value: Double) -> Double { places.lowerBound + places.upperBound - place(value) }

    /// Round values to mark: 1, 2 or 5 times a power of ten, or the powers themselves.
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

    /// The least of 1, 2, 5 × 10ⁿ that is not smaller.
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

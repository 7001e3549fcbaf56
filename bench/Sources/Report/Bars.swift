/// Comparisons of one thing as bars: the ratio to each yardstick, the spread of the pairs, and the goal as a line across.
struct Bars {
    var comparisons: [Comparison]

    private static let width = 720.0
    private static let left = 200.0
    private static let right = 76.0
    private static let row = 46.0
    private static let top = 8.0

    var svg: String {
        let drawn = comparisons.filter { $0.ratio != nil }
        let greatest = drawn.map { max($0.ratioRange?.upperBound ?? 0, $0.goal?.limit ?? 0, 1) }.max() ?? 1
        let height = Self.top + Double(drawn.count) * Self.row + 40
        let x = Scale(.linear, 0...(greatest * 1.05), to: Self.left...(Self.width - Self.right))
        var drawing = SVG(width: Self.width, height: height)
        let floor = height - 36
        for tick in x.ticks {
            drawing.line(x.position(tick), Self.top, x.position(tick), floor, "grid")
            drawing.text(Wording.withoutIdleZeros(Wording.digits(tick)), x.position(tick), floor + 16, "tick", anchor: "middle")
        }
        // 1 is the yardstick itself.
        drawing.line(x.position(1), Self.top, x.position(1), floor, "unity")
        drawing.text("times the yardstick", Self.width - Self.right, height - 4, "axis-title", anchor: "end")
        for (index, comparison) in drawn.enumerated() {
            guard let ratio = comparison.ratio, let range = comparison.ratioRange else { continue }
            let y = Self.top + Double(index) * Self.row
            let name = comparison.yardstick.count > 28 ? comparison.yardstick.prefix(27) + "…" : comparison.yardstick[...]
            drawing.text("÷ " + name, Self.left - 12, y + 18, "name", anchor: "end")
            drawing.text(medians(comparison), Self.left - 12, y + 36, "tick", anchor: "end")
            drawing.rectangle(
                Self.left, y + 9, x.position(ratio) - Self.left, Self.row - 20, "bar \(comparison.verdict.rawValue)",
                title: "\(comparison.yardstick): \(Wording.ratio(ratio)) \(TextReport.range(range))")
            let middle = y + 9 + (Self.row - 20) / 2
            drawing.line(x.position(range.lowerBound), middle, x.position(range.upperBound), middle, "spread")
            for end in [range.lowerBound, range.upperBound] {
                drawing.line(x.position(end), middle - 4, x.position(end), middle + 4, "spread")
            }
            if let goal = comparison.goal {
                drawing.line(x.position(goal.limit), y + 3, x.position(goal.limit), y + Self.row - 5, "goal")
            }
            let beyond = x.position(max(range.upperBound, comparison.goal?.limit ?? 0)) + 8
            drawing.text(Wording.ratio(ratio), beyond, middle + 5, "value")
        }
        return drawing.element(
            label: drawn.map { "\($0.yardstick): \(Wording.ratio($0.ratio))" }.joined(separator: "; "))
    }

    private func medians(_ comparison: Comparison) -> String {
        guard let subject = comparison.subjectMedian, let yardstick = comparison.yardstickMedian else { return "" }
        return "\(Wording.value(subject, unit: comparison.unit)) ÷ \(Wording.value(yardstick, unit: comparison.unit))"
    }
}

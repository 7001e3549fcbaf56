/// Lines over two axes. All plots of the report except the bars are of this kind.
struct Plot {
    struct Line {
        var name: String
        var points: [(x: Double, y: Double)]
        /// Whether the area between line and axis is filled.
        var isFilled = false
        /// Whether each point is a separate measurement and gets a dot.
        var hasDots = false
    }

    var lines: [Line]
    var xKind = Scale.Kind.linear
    var yKind = Scale.Kind.linear
    var xTitle: String
    var yTitle: String
    var xText: (Double) -> String
    var yText: (Double) -> String
    /// Ticks of the x axis, for plots in which they are not round values.
    var xMarks: [(value: Double, text: String)]?

    private static let width = 720.0
    private static let height = 330.0
    private static let left = 66.0
    private static let right = 20.0
    private static let top = 30.0
    private static let bottom = 46.0

    var svg: String {
        let points = lines.flatMap(\.points)
        let xs = points.map(\.x)
        let ys = points.map(\.y).filter { yKind == .linear || $0 > 0 }
        guard let leastX = xs.min(), let greatestX = xs.max(), let leastY = ys.min(), let greatestY = ys.max() else { return "" }
        let x = Scale(xKind, leastX...greatestX, to: Self.left...(Self.width - Self.right))
        let yValues = yKind == .linear ? min(leastY, 0)...(greatestY * 1.08) : (leastY / 1.3)...(greatestY * 1.3)
        let y = Scale(yKind, yValues, to: Self.top...(Self.height - Self.bottom))

        var drawing = SVG(width: Self.width, height: Self.height)
        drawing.text(yTitle, 4, 16, "axis-title")
        for tick in y.ticks {
            let position = y.positionFromBelow(tick)
            drawing.line(Self.left, position, Self.width - Self.right, position, "grid")
            drawing.text(Wording.withoutIdleZeros(yText(tick)), Self.left - 8, position + 4, "tick", anchor: "end")
        }
        let floor = Self.height - Self.bottom
        for mark in xMarks ?? x.ticks.map({ ($0, Wording.withoutIdleZeros(xText($0))) }) where x.values.contains(mark.value) {
            let position = x.position(mark.value)
            drawing.line(position, floor, position, floor + 5, "axis")
            drawing.text(mark.text, position, floor + 19, "tick", anchor: position > Self.width - 40 ? "end" : "middle")
        }
        drawing.line(Self.left, floor, Self.width - Self.right, floor, "axis")
        drawing.text(xTitle, Self.width - Self.right, Self.height - 6, "axis-title", anchor: "end")
        for (index, line) in lines.enumerated() {
            let positions = line.points.map { (x: x.position($0.x), y: y.positionFromBelow($0.y)) }
            if line.isFilled { drawing.area(positions, floor: floor, "area c\(index % 8)") }
            drawing.path(positions, "line c\(index % 8)")
            guard line.hasDots else { continue }
            for (position, point) in zip(positions, line.points) {
                drawing.dot(position.x, position.y, 3.5, "dot c\(index % 8)", title: "\(line.name): \(xText(point.x)), \(yText(point.y))")
            }
        }
        return drawing.element(label: "\(yTitle) over \(xTitle): " + lines.map(\.name).joined(separator: ", ")) + legend
    }

    /// The legend is HTML, so that it wraps on a narrow screen.
    private var legend: String {
        guard lines.count > 1 || !lines[0].name.isEmpty else { return "" }
        let items = lines.enumerated().map { #"<li><i class="c\#($0 % 8)"></i>\#(escaped($1.name))</li>"# }.joined()
        return #"<ul class="legend">\#(items)</ul>"#
    }
}

extension Plot {
    /// Percentile curves: x is 1 ÷ (1 − p), so that each further nine takes as much room as the one before.
    static func percentiles(_ series: [LatencySeries]) -> Plot {
        let lines = series.filter { !$0.recorder.isEmpty }.map { series in
            Line(name: series.name, points: curve(series.recorder))
        }
        let marks: [(value: Double, text: String)] = [
            (1, "0"), (2, "50 %"), (10, "90 %"), (100, "99 %"), (1000, "99.9 %"), (10_000, "99.99 %"), (100_000, "99.999 %"),
            (1_000_000, "99.9999 %"),
        ]
        return Plot(
            lines: lines, xKind: .logarithmic, yKind: .logarithmic, xTitle: "share answered within", yTitle: "latency",
            xText: { Wording.digits($0) }, yText: { Wording.duration(nanoseconds: $0) }, xMarks: marks)
    }

    /// The percentiles that the number of values supports: with a thousand values, up to the 99.9th.
    static func curve(_ recorder: LatencyRecorder) -> [(x: Double, y: Double)] {
        let last = Double(max(recorder.count, 2))
        var points: [(x: Double, y: Double)] = []
        var x = 1.0
        while x < last {
            points.append((x, Double(recorder.nanoseconds(atPercentile: 100 * (1 - 1 / x)))))
            x *= 1.12
        }
        points.append((last, Double(recorder.maxNanoseconds)))
        return points
    }

    static func timelines(_ timelines: [Timeline]) -> Plot {
        let unit = timelines.first?.unit ?? ""
        return Plot(
            lines: timelines.map { timeline in
                Line(name: timeline.name, points: timeline.points.map { ($0.seconds, $0.value) }, isFilled: timelines.count == 1)
            }, xTitle: "seconds", yTitle: unit, xText: { Wording.digits($0) },
            yText: { ["B", "bytes", "ns", "µs", "ms"].contains(unit) ? Wording.value($0, unit: unit) : Wording.digits($0) })
    }

    static func memory(_ results: [ScenarioResult]) -> Plot {
        var lines: [Line] = []
        for result in results {
            let server = results.count > 1 ? result.server + ": " : ""
            func line(_ name: String, _ bytes: (MemoryPoint) -> Int64?) {
                let points = result.memory.compactMap { point in bytes(point).map { (x: Double(point.connections), y: Double($0)) } }
                if points.count > 1 { lines.append(Line(name: server + name, points: points.sorted { $0.x < $1.x }, hasDots: true)) }
            }
            line("resident", \.residentBytes)
            line("anonymous", \.anonymousBytes)
            line("kernel", \.kernelBytes)
        }
        return Plot(
            lines: lines, xTitle: "connections", yTitle: "memory", xText: { Wording.digits($0) }, yText: { Wording.bytes($0) })
    }
}

/// A drawing under construction. Colours come from the page's style sheet, so that one drawing works with both palettes.
struct SVG {
    let width: Double
    let height: Double
    private var body = ""

    init(width: Double, height: Double) {
        self.width = width
        self.height = height
    }

    /// The SVG element. Screen readers read `label`.
    func element(label: String) -> String {
        """
        <div class="drawing"><svg viewBox="0 0 \(Self.number(width)) \(Self.number(height))" role="img" \
        aria-label="\(escaped(label))">\(body)</svg></div>
        """
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
        body += #"<line class="\#(style)" x1="\#(n(x1))" y1="\#(n(y1))" x2="\#(n(x2))" y2="\#(n(y2))"/>"#
    }

    mutating func text(_ text: String, _ x: Double, _ y: Double, _ style: String = "", anchor: String = "start") {
        body += #"<text class="\#(style)" x="\#(n(x))" y="\#(n(y))" text-anchor="\#(anchor)">\#(escaped(text))</text>"#
    }

    mutating func path(_ points: [(x: Double, y: Double)], _ style: String) {
        guard let first = points.first else { return }
        let rest = points.dropFirst().map { "L\(n($0.x)) \(n($0.y))" }.joined()
        body += #"<path class="\#(style)" d="M\#(n(first.x)) \#(n(first.y))\#(rest)"/>"#
    }

    /// The area between the line and `floor`.
    mutating func area(_ points: [(x: Double, y: Double)], floor: Double, _ style: String) {
        guard let first = points.first, let last = points.last else { return }
        let line = points.map { "L\(n($0.x)) \(n($0.y))" }.joined()
        body += #"<path class="\#(style)" d="M\#(n(first.x)) \#(n(floor))\#(line)L\#(n(last.x)) \#(n(floor))Z"/>"#
    }

    mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String, title: String = "") {
        let told = title.isEmpty ? "" : "<title>\(escaped(title))</title>"
        body +=
            #"<rect class="\#(style)" x="\#(n(x))" y="\#(n(y))" width="\#(n(max(width, 0)))" height="\#(n(height))" rx="3">\#(told)</rect>"#
    }

    mutating func dot(_ x: Double, _ y: Double, _ radius: Double, _ style: String, title: String) {
        body += #"<circle class="\#(style)" cx="\#(n(x))" cy="\#(n(y))" r="\#(n(radius))"><title>\#(escaped(title))</title></circle>"#
    }

    private func n(_ value: Double) -> String { Self.number(value) }

    /// With a precision of a tenth of a pixel, and an ASCII minus sign as SVG requires.
    static func number(_ value: Double) -> String {
        guard value.isFinite else { return "0" }
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() ? String(Int(clamping: Int64(tenths))) : String(tenths)
    }
}

/// Escapes text and quoted attribute values.
func escaped(_ text: String) -> String {
    var output = ""
    for character in text {
        switch character {
        case "&": output += "&amp;"
        case "<": output += "&lt;"
        case ">": output += "&gt;"
        case "\"": output += "&quot;"
        default: output.append(character)
        }
    }
    return output
}

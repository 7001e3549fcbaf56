import Bytes
import HTTP

/// Writes the frames of the protocol as server-sent events (WHATWG HTML, "Server-sent events").
enum EventText {
    /// One event for each line: `event:` names the frame's type, or `reply`; `data:` is the frame.
    static func append(_ lines: Span<UInt8>, into output: inout [UInt8]) {
        var start = 0
        for index in 0...lines.count where index == lines.count || lines[index] == UInt8(ascii: "\n") {
            if index > start { appendEvent(lines.extracting(start..<index), into: &output) }
            start = index + 1
        }
    }

    private static let typeStart = Array(#"{"type":""#.utf8)

    private static func appendEvent(_ frame: Span<UInt8>, into output: inout [UInt8]) {
        output.append(contentsOf: "event: ".utf8)
        let type = typeStart.count
        if frame.count > type, frame.extracting(first: type).isSame(as: typeStart.span) {
            var end = type
            while end < frame.count, frame[end] != UInt8(ascii: "\"") { end += 1 }
            output.append(copying: frame.extracting(type..<end))
        } else {
            output.append(contentsOf: "reply".utf8)
        }
        output.append(contentsOf: "\ndata: ".utf8)
        output.append(copying: frame)
        output.append(contentsOf: "\n\n".utf8)
    }

    /// A block without data: it sets the browser's `Last-Event-ID`, and no event is dispatched.
    static func id(_ positions: String) -> [UInt8] { Array("id: \(positions)\n\n".utf8) }

    /// A comment, which clients ignore.
    static func comment(_ text: String) -> [UInt8] { Array(": \(text)\n\n".utf8) }
}

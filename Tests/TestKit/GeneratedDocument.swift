package import Foundation

/// The parts of docs/ that are made from the code: between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
package enum GeneratedDocument {
    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let isWriting = ProcessInfo.processInfo.environment["HUB_WRITE_DOCUMENTS"] == "1"

    package struct MissingMarkers: Error {
        package let part: String
    }

    /// Whether the part of the document at `path` is `text`. With HUB_WRITE_DOCUMENTS=1 (`make documents`) it is written first.
    package static func holds(_ text: String, part: String, of path: String) throws -> Bool {
        let file = root.appending(path: path)
        let document = try String(contentsOf: file, encoding: .utf8)
        guard let begin = document.range(of: "<!-- \(part):begin -->\n"),
            let end = document.range(of: "<!-- \(part):end -->", range: begin.upperBound..<document.endIndex)
        else { throw MissingMarkers(part: part) }
        if document[begin.upperBound..<end.lowerBound] == text { return true }
        guard isWriting else { return false }
        try (document[..<begin.upperBound] + text + document[end.lowerBound...]).write(to: file, atomically: true, encoding: .utf8)
        return true
    }
}

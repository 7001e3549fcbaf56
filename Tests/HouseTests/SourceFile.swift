import Foundation

/// One file of the repository, read once, with what the rules ask of it.
struct SourceFile: Sendable {
    /// From the root of the repository: `Sources/Auth/KeySet.swift`.
    let path: String
    let lines: [Substring]
    let tokens: [Lexer.Token]
    /// The tokens that are no comments.
    let code: [Lexer.Token]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        tokens = isSwiftPath(path) ? Lexer.tokens(of: text) : []
        code = tokens.filter { $0.kind != .comment }
    }

    var isSwift: Bool { isSwiftPath(path) }
    var isSource: Bool { !isTest }
    var isTest: Bool { path.hasPrefix("Tests/") }
    /// `Auth` of `Sources/Auth/KeySet.swift`. The pages have their folder at the top.
    var target: String { path.hasPrefix("web/") ? "WebPages" : String(path.split(separator: "/").dropFirst().first ?? "") }
    var name: String { String(path.split(separator: "/").last ?? "") }
    /// Lines as an editor counts them.
    var lineCount: Int { lines.last == "" ? lines.count - 1 : lines.count }

    var words: Set<String> { Set(code.lazy.filter { $0.kind == .word }.map(\.text)) }

    struct Import: Equatable {
        var module: String
        var line: Int
    }

    /// `import struct Linux.SystemError` counts as an import of `Linux`.
    var imports: [Import] {
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        return code.indices.compactMap { index in
            guard code[index].text == "import", code[index].kind == .word else { return nil }
            var next = index + 1
            if next < code.count, kinds.contains(code[next].text), code[next].line == code[index].line { next += 1 }
            guard next < code.count, code[next].kind == .word else { return nil }
            return Import(module: code[next].text, line: code[index].line)
        }
    }

    /// All files the rules look at.
    static func all(under root: URL) throws -> [SourceFile] {
        let endings = [".swift", ".c", ".h"]
        return try ["Sources", "web", "Tests"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: folder).path)
                .filter { path in endings.contains { path.hasSuffix($0) } && !path.contains(".build/") }
                .sorted()
                .map { path in
                    let text = try String(contentsOf: root.appending(path: folder).appending(path: path), encoding: .utf8)
                    return SourceFile(path: "\(folder)/\(path)", text: text)
                }
        }
    }
}

private func isSwiftPath(_ path: String) -> Bool { path.hasSuffix(".swift") }

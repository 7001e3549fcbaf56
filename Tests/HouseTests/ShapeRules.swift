/// Rules about the shape of a target: folders that do not use each other, types that do not grow.
extension Rule {
    /// Two folders of one target must not use each other's types: imports cannot show such a cycle. A name that several folders define, or
    /// that has fewer than four letters, tells nothing.
    static let foldersPointOneWay = Rule(name: "two folders of one target do not use each other's types") { files, _ in
        let sources = files.filter { $0.isSource && $0.isSwift && $0.path.hasPrefix("Sources/") }
        var owners: [String: Set<String>] = [:]
        for file in sources { for type in file.typeNames where type.name.count > 3 { owners[type.name, default: []].insert(file.folder) } }
        var uses: [String: [String: String]] = [:]
        for file in sources {
            for word in file.words {
                guard let owner = owners[word], owner.count == 1, let there = owner.first, there != file.folder else { continue }
                uses[file.folder, default: [:]][there] = file.path
            }
        }
        return uses.keys.sorted().flatMap { here in
            uses[here, default: [:]].keys.sorted().compactMap { there -> Violation? in
                guard here < there, here.targetOfFolder == there.targetOfFolder, let path = uses[there]?[here] else { return nil }
                return Violation(path: path, line: 1, what: "\(there) and \(here) use each other's types")
            }
        }
    }

    static let mostStoredProperties = 12

    /// A type with more says in its comment why it has so many.
    static let typesAreSmall = eachFile("a type has at most \(mostStoredProperties) stored properties, or says why") { file, house in
        guard file.isSource, file.isSwift, house.targets[file.target]?.owns == nil else { return [] }
        return file.typeSizes.filter { $0.storedProperties > mostStoredProperties && !$0.isExplained }
            .map { ($0.line, "\($0.name) has \($0.storedProperties) stored properties") }
    }
}

extension String {
    fileprivate var targetOfFolder: Substring { self[..<(firstIndex(of: "/") ?? endIndex)] }
}

extension SourceFile {
    /// `Transports/WebSocket` of `Sources/Transports/WebSocket/A.swift`; `Transports` of a file beside it.
    fileprivate var folder: String {
        let parts = path.split(separator: "/").dropFirst().dropLast()
        return parts.prefix(2).joined(separator: "/")
    }

    fileprivate struct TypeSize {
        let name: String
        let line: Int
        let storedProperties: Int
        /// Its comment speaks of its stored properties, of its metrics, or of its settings.
        let isExplained: Bool
    }

    /// Structs, classes and actors with the number of `let` and `var` that hold a value of each object.
    fileprivate var typeSizes: [TypeSize] {
        code.indices.compactMap { index in
            guard ["struct", "class", "actor"].contains(code[index].text), index + 1 < code.count, code[index + 1].kind == .word,
                code[index + 1].text.first?.isUppercase == true, let open = code[index...].firstIndex(where: { $0.text == "{" })
            else { return nil }
            let (name, line) = (code[index + 1].text, code[index].line)
            return TypeSize(name: name, line: line, storedProperties: storedProperties(from: open), isExplained: isExplained(line))
        }
    }

    private func storedProperties(from open: Int) -> Int {
        var (depth, count) = (0, 0)
        for index in open..<code.count {
            switch code[index].text {
            case "{", "(", "[": depth += 1
            case "}", ")", "]": depth -= 1
            case "let", "var":
                guard depth == 1, index == 0 || code[index - 1].text != "case" else { continue }
                let line = code[index].line
                let before = code[..<index].reversed().prefix { $0.line == line }.map(\.text)
                let after = code[(index + 1)...].prefix { $0.line == line }.map(\.text)
                let isComputed = after.contains("{") && !after.contains("=")
                if !before.contains("static"), !isComputed { count += 1 }
            default: continue
            }
            if depth == 0 { break }
        }
        return count
    }

    private func isExplained(_ line: Int) -> Bool {
        let comments = tokens.filter { $0.kind == .comment && $0.line < line && $0.line >= line - 8 }.map(\.text)
        return comments.contains { $0.contains("stored properties") }
    }
}

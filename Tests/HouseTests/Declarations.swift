extension SourceFile {
    /// A name the file gives to something other files can use.
    struct Declaration: Equatable {
        var name: String
        var line: Int
        var isType: Bool
    }

    private static let typeKeywords: Set<String> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
    private static let memberKeywords: Set<String> = ["func", "let", "var", "case"]
    /// Members without a name of their own: reached by the name of the type they extend.
    private static let namelessKeywords: Set<String> = ["init", "subscript"]

    /// Top-level names, and the members that top-level extensions add. An extension that adds a conformance,
    /// an initializer, a subscript or an operator declares the name of the type it extends: that is how it is reached.
    var declarations: [Declaration] {
        var found: [Declaration] = []
        var braces = 0
        var parentheses = 0
        var extended: (name: String, depth: Int)?
        for index in code.indices {
            let token = code[index]
            switch token.text {
            case "{": braces += 1
            case "}":
                braces -= 1
                if let open = extended, braces <= open.depth { extended = nil }
            case "(", "[": parentheses += 1
            case ")", "]": parentheses -= 1
            default: break
            }
            guard token.kind == .word, parentheses == 0, index + 1 < code.count else { continue }
            let next = code[index + 1]
            let isTopLevel = braces == 0
            let isExtensionMember = extended.map { braces == $0.depth + 1 } ?? false
            guard isTopLevel || isExtensionMember else { continue }
            // `Foo.self`, `.init(…)` and the like use a keyword as a name.
            if index > 0, code[index - 1].text == "." { continue }

            if token.text == "extension", isTopLevel {
                let name = extendedTypeName(after: index)
                extended = (name, braces)
                if addsConformance(after: index) { found.append(Declaration(name: name, line: token.line, isType: false)) }
            } else if Self.typeKeywords.contains(token.text) {
                guard next.kind == .word, !Self.memberKeywords.contains(next.text) else { continue }
                found.append(Declaration(name: next.text, line: token.line, isType: true))
            } else if Self.memberKeywords.contains(token.text) {
                if next.kind == .word {
                    found.append(Declaration(name: next.text, line: token.line, isType: false))
                } else if let extended {
                    found.append(Declaration(name: extended.name, line: token.line, isType: false))
                }
            } else if Self.namelessKeywords.contains(token.text), isExtensionMember, let extended {
                found.append(Declaration(name: extended.name, line: token.line, isType: false))
            }
        }
        return found
    }

    /// Every type the file declares at any depth.
    var typeNames: [Declaration] {
        code.indices.compactMap { index in
            guard Self.typeKeywords.contains(code[index].text), index + 1 < code.count else { return nil }
            let next = code[index + 1]
            guard next.kind == .word, next.text.first?.isUppercase == true else { return nil }
            return Declaration(name: next.text, line: next.line, isType: true)
        }
    }

    /// `JSONNumber` of `extension JSONValue.JSONNumber: Equatable {`.
    private func extendedTypeName(after index: Int) -> String {
        var next = index + 1
        var name = ""
        while next < code.count, code[next].kind == .word || code[next].text == "." {
            if code[next].text == "where" { break }
            if code[next].kind == .word { name = code[next].text }
            next += 1
        }
        return name
    }

    private func addsConformance(after index: Int) -> Bool {
        var next = index + 1
        while next < code.count, code[next].text != "{" {
            if code[next].text == ":" { return true }
            if code[next].text == "where" { return false }
            next += 1
        }
        return false
    }
}

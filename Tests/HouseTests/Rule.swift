import Testing

/// One rule of the house: what it forbids, and where in the given files it is broken.
struct Rule: Sendable, CustomTestStringConvertible {
    struct Violation: Equatable, CustomStringConvertible {
        var path: String
        var line: Int
        var what: String
        var description: String { "\(path):\(line): \(what)" }
    }

    var name: String
    var check: @Sendable (_ files: [SourceFile], _ house: House) -> [Violation]
    var testDescription: String { name }

    /// A rule that looks at each file for itself.
    static func eachFile(
        _ name: String, _ check: @escaping @Sendable (_ file: SourceFile, _ house: House) -> [(line: Int, what: String)]
    ) -> Rule {
        Rule(name: name) { files, house in
            files.flatMap { file in check(file, house).map { Violation(path: file.path, line: $0.line, what: $0.what) } }
        }
    }

    static let all: [Rule] = [
        importsPointDown, foldersPointOneWay, typesAreSmall, unsafeStaysHome, pureTargetsTakeTheirTime, everyFileIsUsed,
        filesAreShort, namesSaySomething,
        uncheckedSendableIsExplained, nothingTraps, noErrorIsSwallowed, nothingIsLeftForLater, testsDoNotSleep, testsAreNotSwitchedOff,
        suitesAreGuarded,
        loopsDoNotWait, locksAreKnown, queuesAreMailboxes, memoryIsNotSizedByAPeer,
    ]
}

extension Rule {
    static let importsPointDown = eachFile("an import only goes where the table allows") { file, house in
        guard file.isSwift else { return [] }
        if file.isTest {
            return file.imports.filter { house.cModules.contains($0.module) }
                .map { ($0.line, "a test imports \($0.module): only its owner may") }
        }
        guard let target = house.targets[file.target] else { return [(1, "target \(file.target) is not in the table")] }
        return file.imports.filter { !target.mayImport.contains($0.module) }
            .map { ($0.line, "\(file.target) imports \($0.module)") }
    }

    static let unsafeStaysHome = eachFile("only the owner of a C library handles pointers") { file, house in
        guard house.targets[file.target]?.owns == nil, House.exceptions[file.path] == nil else { return [] }
        return file.code.filter { token in
            guard token.kind == .word else { return false }
            return token.text == "unsafe" || token.text.hasPrefix("Unsafe") || token.text.hasPrefix("withUnsafe")
                || token.text == "OpaquePointer" || token.text == "Unmanaged"
        }.map { ($0.line, "'\($0.text)' outside the owners of C libraries") }
    }

    static let pureTargetsTakeTheirTime = eachFile("a pure target has no clock, no randomness and no task of its own") { file, house in
        guard file.isSource, house.targets[file.target]?.pure == true else { return [] }
        let impure: Set<String> = [
            "ContinuousClock", "SuspendingClock", "SystemRandomNumberGenerator", "randomElement", "shuffled", "Task", "Logger", "Mutex",
            "Atomic", "clock_gettime", "gettimeofday",
        ]
        return file.code.filter { impure.contains($0.text) }.map { ($0.line, "'\($0.text)' in a pure target") }
    }

    /// A file is used when another file of the product says one of the names it declares. Tests do not count: what only
    /// tests use is not part of the product. Names are compared without their types, so the rule may miss a dead file,
    /// but what it reports is dead.
    static let everyFileIsUsed = Rule(name: "every file of the product is used by another") { files, _ in
        let sources = files.filter { $0.isSource && $0.isSwift }
        var filesSaying: [String: Int] = [:]
        for file in sources { for word in file.words { filesSaying[word, default: 0] += 1 } }
        return sources.compactMap { file in
            guard file.name != "main.swift", !file.startsTheProgram else { return nil }
            let isUsed = file.declarations.contains { filesSaying[$0.name, default: 0] > 1 }
            return isUsed ? nil : Violation(path: file.path, line: 1, what: "no other file uses anything of it")
        }
    }

    static let filesAreShort = eachFile("a file is at most \(House.longestFileLines) lines long") { file, _ in
        file.lineCount > House.longestFileLines ? [(file.lineCount, "\(file.lineCount) lines")] : []
    }

    static let namesSaySomething = eachFile("types and files are named for what they are") { file, _ in
        // Suites are named after the sections of their RFC, whatever words those use.
        guard file.isSource else { return [] }
        func emptyWord(in name: String) -> String? { camelCaseWords(of: name).first { House.emptyWords.contains($0) } }
        let types = file.typeNames.compactMap { type in emptyWord(in: type.name).map { (type.line, "'\($0)' in \(type.name)") } }
        let stem = String(file.name.prefix { $0 != "." })
        return types + (emptyWord(in: stem).map { [(1, "'\($0)' in the file's name")] } ?? [])
    }

    static let uncheckedSendableIsExplained = eachFile("@unchecked Sendable says on the line above what makes it safe") { file, _ in
        let code = file.code
        return code.indices.compactMap { index in
            guard code[index].text == "unchecked", index + 1 < code.count, code[index + 1].text == "Sendable" else { return nil }
            let line = code[index].line
            let isExplained = file.tokens.contains { token in
                token.kind == .comment && token.line == line - 1 && token.text.split(separator: " ").count >= 5
            }
            return isExplained ? nil : (line, "no sentence on the line above names the lock or the thread")
        }
    }

    static let nothingTraps = eachFile("nothing in the product traps on purpose") { file, _ in
        guard file.isSource else { return [] }
        let code = file.code
        return code.indices.compactMap { index in
            let next = index + 1 < code.count ? code[index + 1].text : ""
            let traps = ["try", "as"].contains(code[index].text) && next == "!" || code[index].text == "fatalError" && next == "("
            return traps ? (code[index].line, "'\(code[index].text)\(next)'") : nil
        }
    }

    static let noErrorIsSwallowed = eachFile("no catch is empty") { file, _ in
        let code = file.code
        return code.indices.compactMap { index in
            guard code[index].text == "catch", index + 2 < code.count, code[index + 1].text == "{", code[index + 2].text == "}" else {
                return nil
            }
            return (code[index].line, "'catch {}'")
        }
    }

    static let nothingIsLeftForLater = eachFile("nothing is left for later") { file, _ in
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK"]
        return file.lines.enumerated().flatMap { number, line in
            marks.filter { line.contains($0) }.map { (number + 1, "'\($0)'") }
        }
    }

    /// Between two looks at a condition a pause is right; instead of a condition it is a race.
    static let testsDoNotSleep = eachFile("no test sleeps but to look at a condition again") { file, _ in
        guard file.isTest else { return [] }
        let code = file.code
        return code.indices.compactMap { index in
            guard ["sleep", "usleep", "nanosleep"].contains(code[index].text), !file.isInsideWhile(index) else { return nil }
            return (code[index].line, "'\(code[index].text)'")
        }
    }

    static let testsAreNotSwitchedOff = eachFile("no test is switched off") { file, _ in
        guard file.isTest else { return [] }
        let code = file.code
        return code.indices.compactMap { index in
            let isTrait = code[index].text == "disabled" && index > 0 && code[index - 1].text == "."
            let isCall = ["withKnownIssue", "XCTSkip", "XCTSkipIf", "XCTSkipUnless"].contains(code[index].text)
            return isTrait || isCall ? (code[index].line, "'\(code[index].text)'") : nil
        }
    }

    static let suitesAreGuarded = eachFile("every suite has the trait that ends a run that hangs") { file, _ in
        guard file.isTest else { return [] }
        let code = file.code
        return code.indices.compactMap { index in
            guard code[index].text == "Suite", index > 0, code[index - 1].text == "@" else { return nil }
            let traits = code[index...].prefix { $0.text != "{" }
            return traits.contains { $0.text == "guarded" } ? nil : (code[index].line, "a suite without '.guarded'")
        }
    }
}

extension SourceFile {
    /// Whether the innermost braces around a token are those of a `while`.
    fileprivate func isInsideWhile(_ index: Int) -> Bool {
        var depth = 0
        for brace in stride(from: index, through: 0, by: -1) {
            if code[brace].text == "}" { depth += 1 }
            guard code[brace].text == "{" else { continue }
            if depth == 0 { return code[..<brace].reversed().prefix { $0.line == code[brace].line }.contains { $0.text == "while" } }
            depth -= 1
        }
        return false
    }

    fileprivate var startsTheProgram: Bool {
        code.indices.contains { code[$0].text == "@" && $0 + 1 < code.count && code[$0 + 1].text == "main" }
    }
}

/// `KeySetManager` → `Key`, `Set`, `Manager`; `JSONValue` → `JSON`, `Value`; `Base64URL` → `Base64`, `URL`.
func camelCaseWords(of name: String) -> [String] {
    let characters = Array(name)
    var words: [String] = []
    for index in characters.indices {
        let character = characters[index]
        let startsWord =
            character.isUppercase && index > 0
            && (!characters[index - 1].isUppercase || index + 1 < characters.count && characters[index + 1].isLowercase)
        if words.isEmpty || startsWord { words.append("") }
        words[words.count - 1].append(character)
    }
    return words
}

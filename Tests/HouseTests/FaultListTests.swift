import Foundation
import HangGuard
import Testing

/// One fault of `Tests/Mutants/faults`, as `Tests/Mutants/run` reads it.
private struct Fault: CustomTestStringConvertible {
    var name = ""
    var file = ""
    var old = ""
    var new = ""
    var tests: [String] = []
    var testDescription: String { name }

    /// Blocks of lines, separated by empty lines: `!` name, `@` file, `-` old line, `+` new line, `?` tests.
    static func all(in text: String) -> [Fault] {
        var faults: [Fault] = []
        var isInside = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let rest = line.dropFirst().trimmingCharacters(in: .whitespaces)
            guard let mark = line.first else {
                isInside = false
                continue
            }
            if mark == "#" { continue }
            if !isInside { faults.append(Fault()) }
            isInside = true
            let last = faults.count - 1
            switch mark {
            case "!": faults[last].name = rest
            case "@": faults[last].file = rest
            case "-": faults[last].old = rest
            case "+": faults[last].new = rest
            case "?": faults[last].tests += rest.components(separatedBy: ", ")
            default: Issue.record("a line with an unknown mark: \(line)")
            }
        }
        return faults
    }
}

/// `make mutants` takes long and is run seldom. This keeps its list true meanwhile.
@Suite("Every fault of the mutation run can still be switched on", .guarded)
struct FaultListTests {
    private static let tests = HouseTests.root.appending(path: "Tests")

    private static let faults = Result {
        let folder = tests.appending(path: "Mutants/faults")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        return try names.flatMap { Fault.all(in: try String(contentsOf: folder.appending(path: $0), encoding: .utf8)) }
    }

    @Test func `There are at least a hundred, each with a name of its own, in every target that decides something`() throws {
        let faults = try Self.faults.get()
        #expect(faults.count >= 100)
        #expect(Set(faults.map(\.name)).count == faults.count)
        let targets = Set(faults.compactMap { $0.file.split(separator: "/").dropFirst().first.map(String.init) })
        // `StoreAPI` is an envelope without decisions, and `WebPages` has no Swift.
        let exempt: Set<String> = ["StoreAPI", "WebPages"]
        #expect(Set(House.hub.targets.keys).subtracting(exempt).subtracting(targets).isEmpty)
    }

    @Test func `The line of each fault occurs exactly once in its file`() throws {
        for fault in try Self.faults.get() {
            let text = try String(contentsOf: HouseTests.root.appending(path: fault.file), encoding: .utf8)
            let lines = text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(lines.count { $0 == fault.old } == 1, "\(fault.name): \(fault.file)")
            #expect(!fault.new.isEmpty && fault.new != fault.old, "\(fault.name)")
        }
    }

    @Test func `Each fault names tests that exist`() throws {
        for fault in try Self.faults.get() {
            #expect(!fault.tests.isEmpty, "\(fault.name)")
            for test in fault.tests {
                let parts = test.split { test.hasPrefix("test_") ? $0 == " " : $0 == "." || $0 == "/" }
                if test.hasPrefix("test_") {
                    let file = Self.tests.appending(path: "EndToEnd/\(parts[0])")
                    #expect(FileManager.default.fileExists(atPath: file.path), "\(fault.name): \(test)")
                } else {
                    let folder = Self.tests.appending(path: String(parts[0]))
                    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
                    let isThere =
                        try parts.count == 1
                        || files.contains { file in
                            try String(contentsOf: folder.appending(path: file), encoding: .utf8).contains("struct \(parts[1])")
                        }
                    #expect(isThere, "\(fault.name): \(test)")
                }
            }
        }
    }
}

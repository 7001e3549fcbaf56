import Foundation
import HangGuard
import Testing

@Suite("Rules of the source code", .guarded)
struct HouseTests {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Read once for all rules.
    private static let files = Result { try SourceFile.all(under: root) }

    @Test("The source code follows each rule", arguments: Rule.all)
    func keeps(_ rule: Rule) throws {
        let files = try Self.files.get()
        #expect(files.contains { $0.isSource } && files.contains { $0.isTest }, "nothing was read")
        for violation in rule.check(files, .hub) { Issue.record("\(violation)") }
    }

    @Test("The manifest declares exactly the table's dependencies")
    func manifestAgrees() throws {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        let declared = declaredDependencies(in: manifest, of: /\bmodule\(\s*"(\w+)"(?:,\s*\[([^\]]*)\])?/)
        #expect(!declared.isEmpty)
        for (name, target) in House.hub.targets where name != "HubMain" {
            let expected = target.ours.union(target.owns.map { [$0] } ?? [])
            #expect(declared[name] == expected, "dependencies of \(name)")
        }
        #expect(Set(declared.keys).union(["HubMain"]) == Set(House.hub.targets.keys))
    }

    /// An import that is not declared compiles when the module happens to be built earlier, and fails on the next machine.
    @Test("The manifest declares what each suite imports")
    func suitesDeclareTheirImports() throws {
        let manifest = try String(contentsOf: Self.root.appending(path: "Package.swift"), encoding: .utf8)
        let declared = declaredDependencies(in: manifest, of: /\bsuite\(\s*"(\w+)"(?:,\s*\[([^\]]*)\])?/)
        #expect(declared.keys.contains("HouseTests"))
        for file in try Self.files.get() where file.isTest {
            guard let own = declared[file.target] else { continue }
            for module in file.imports.map(\.module) where House.hub.targets[module] != nil {
                #expect(own.contains(module), "\(file.path) imports \(module)")
            }
        }
    }

    /// The targets of `module("Auth", ["OpenSSL", "JSON"])`; products of other packages left out.
    private func declaredDependencies(
        in manifest: String, of dependencies: Regex<(Substring, Substring, Substring?)>
    ) -> [String: Set<String>] {
        var declared: [String: Set<String>] = [:]
        for match in manifest.matches(of: dependencies) {
            let list = String(match.2 ?? "").replacing(/\.product\([^)]*\)/, with: "")
            declared[String(match.1)] = Set(list.matches(of: /"(\w+)"/).map { String($0.1) })
        }
        return declared
    }
}

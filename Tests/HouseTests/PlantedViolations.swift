import HangGuard
import Testing

/// What each rule must catch, and what looks alike and must pass.
struct Plant: Sendable, CustomTestStringConvertible {
    var rule: Rule
    var files: [String: String]
    /// Paths and lines that must be reported; empty: the plant is innocent.
    var expected: [String]
    var testDescription: String { "\(rule.name): \(files.values.first ?? "")" }

    init(_ rule: Rule, _ files: [String: String], _ expected: [String] = []) {
        self.rule = rule
        self.files = files
        self.expected = expected
    }
}

@Suite("Each rule of the house can fail", .guarded)
struct PlantedViolations {
    @Test("It reports the planted violations and no others", arguments: plants)
    func reports(_ plant: Plant) {
        let files = plant.files.sorted { $0.key < $1.key }.map { SourceFile(path: $0.key, text: $0.value) }
        let found = plant.rule.check(files, .hub).map { "\($0.path):\($0.line)" }
        #expect(found == plant.expected)
    }

    @Test("Every rule has a planted violation that it reports and valid code that it accepts", arguments: Rule.all)
    func isPlanted(_ rule: Rule) {
        let mine = Self.plants.filter { $0.rule.name == rule.name }
        #expect(mine.contains { !$0.expected.isEmpty } && mine.contains { $0.expected.isEmpty })
    }

    static let plants: [Plant] = [
        Plant(.importsPointDown, ["Sources/Auth/A.swift": "import OpenSSL\npublic import JSON"]),
        Plant(.importsPointDown, ["Sources/Auth/A.swift": "// import Hub\nlet a = \"import Hub\""]),
        Plant(.importsPointDown, ["Sources/Auth/A.swift": "import OpenSSL\nimport Reactor"], ["Sources/Auth/A.swift:2"]),
        Plant(
            .importsPointDown, ["Sources/WSProtocol/A.swift": "@testable import struct Messaging.Entry"], ["Sources/WSProtocol/A.swift:1"]),
        Plant(.importsPointDown, ["Sources/Hub/A.swift": "import Foundation"], ["Sources/Hub/A.swift:1"]),
        Plant(.importsPointDown, ["Sources/Reactor/A.swift": "import Glibc"], ["Sources/Reactor/A.swift:1"]),
        Plant(.importsPointDown, ["Sources/Hub/A.swift": "\nimport CPostgres"], ["Sources/Hub/A.swift:2"]),
        Plant(.importsPointDown, ["Tests/HubTests/A.swift": "import CLinux"], ["Tests/HubTests/A.swift:1"]),
        Plant(.importsPointDown, ["Sources/Extra/A.swift": ""], ["Sources/Extra/A.swift:1"]),

        Plant(
            .foldersPointOneWay,
            ["Sources/Store/A/A.swift": "struct Apple { let pear: Pear }", "Sources/Store/B/B.swift": "struct Pear {}"]),
        Plant(
            .foldersPointOneWay,
            [
                "Sources/Store/A/A.swift": "struct Apple { let pear: Pear }",
                "Sources/Store/B/B.swift": "struct Pear { func peel(_ apple: Apple) {} }",
            ], ["Sources/Store/B/B.swift:1"]),
        Plant(
            .typesAreSmall,
            [
                "Sources/Store/A.swift": "struct A {\n" + (0..<12).map { "let a\($0) = 1\n" }.joined()
                    + "static let b = 1\nvar c: Int { 1 }\n}"
            ]),
        Plant(
            .typesAreSmall,
            [
                "Sources/Store/A.swift": "/// Many stored properties, one for each of its values.\nstruct A {\n"
                    + (0..<13).map { "let a\($0) = 1\n" }.joined() + "}"
            ]),
        Plant(
            .typesAreSmall, ["Sources/Store/A.swift": "struct A {\n" + (0..<13).map { "let a\($0) = 1\n" }.joined() + "}"],
            ["Sources/Store/A.swift:1"]),
        Plant(.unsafeStaysHome, ["Sources/Linux/A.swift": "unsafe close(p)", "Sources/Hub/B.swift": "// unsafe\nlet a = \"unsafe\""]),
        Plant(.unsafeStaysHome, ["Sources/Reactor/A.swift": "let a = 1\nlet b = unsafe f(a)"], ["Sources/Reactor/A.swift:2"]),
        Plant(.unsafeStaysHome, ["Sources/Hub/A.swift": "let a = \"\\(unsafe f())\""], ["Sources/Hub/A.swift:1"]),
        Plant(.unsafeStaysHome, ["Sources/JSON/A.swift": "func f(_ p: UnsafeRawPointer) {}"], ["Sources/JSON/A.swift:1"]),
        Plant(.unsafeStaysHome, ["Tests/HubTests/A.swift": "nonisolated(unsafe) var a = 1"], ["Tests/HubTests/A.swift:1"]),

        Plant(.unsafeStaysHome, ["Tests/Fuzz/fuzz/Entry.swift": "func f(_ p: UnsafePointer<UInt8>) {}"]),

        Plant(.pureTargetsTakeTheirTime, ["Sources/Hub/A.swift": "let now = ContinuousClock().now"]),
        Plant(.pureTargetsTakeTheirTime, ["Sources/Messaging/A.swift": "let now = ContinuousClock().now"], ["Sources/Messaging/A.swift:1"]),
        Plant(.pureTargetsTakeTheirTime, ["Sources/HTTP/A.swift": "\nlet a = b.randomElement()"], ["Sources/HTTP/A.swift:2"]),

        Plant(.everyFileIsUsed, ["Sources/JSON/A.swift": "struct A {}", "Sources/Hub/main.swift": "let b = A()"]),
        Plant(.everyFileIsUsed, ["Sources/JSON/A.swift": "extension Int { var a: Int { 1 } }", "Sources/Hub/main.swift": "let b = 1.a"]),
        Plant(.everyFileIsUsed, ["Sources/Hub/A.swift": "@main\nstruct A {}"]),
        Plant(.everyFileIsUsed, ["Sources/JSON/A.swift": "extension B: Equatable {}", "Sources/Hub/main.swift": "let b = B()"]),
        Plant(
            .everyFileIsUsed, ["Sources/JSON/A.swift": "struct A {\n  var b = 1 }", "Sources/Hub/main.swift": "// A\nlet b = \"A\""],
            ["Sources/JSON/A.swift:1"]),
        Plant(
            .everyFileIsUsed, ["Sources/JSON/A.swift": "struct A {}", "Tests/JSONTests/B.swift": "let b = A()"], ["Sources/JSON/A.swift:1"]),
        Plant(.everyFileIsUsed, ["Sources/JSON/A.swift": "// nothing yet"], ["Sources/JSON/A.swift:1"]),

        Plant(.filesAreShort, ["Sources/JSON/A.swift": String(repeating: "\n", count: House.longestFileLines)]),
        Plant(
            .filesAreShort, ["Sources/CLinux/a.c": String(repeating: "\n", count: House.longestFileLines + 1)],
            ["Sources/CLinux/a.c:\(House.longestFileLines + 1)"]),

        Plant(.namesSaySomething, ["Sources/JSON/Base64URL.swift": "struct Base64URL {}\nlet a = InfoManager()"]),
        Plant(.namesSaySomething, ["Sources/JSON/A.swift": "struct A {\n  enum KeyManager {}\n}"], ["Sources/JSON/A.swift:2"]),
        Plant(.namesSaySomething, ["Tests/WSProtocolTests/A.swift": "struct BaseFramingTests {}"]),
        Plant(.namesSaySomething, ["Sources/JSON/StringUtils.swift": ""], ["Sources/JSON/StringUtils.swift:1"]),

        Plant(
            .uncheckedSendableIsExplained,
            ["Sources/Hub/A.swift": "/// Every access holds `lock`.\nfinal class A: @unchecked Sendable {}\nstruct B: Sendable {}"]),
        Plant(
            .uncheckedSendableIsExplained, ["Sources/Hub/A.swift": "// safe\nfinal class A: @unchecked Sendable {}"],
            ["Sources/Hub/A.swift:2"]),

        Plant(.nothingTraps, ["Sources/Hub/A.swift": "try a()\nlet b = c as? D // try!", "Tests/HubTests/B.swift": "try! a()"]),
        Plant(
            .nothingTraps, ["Sources/Hub/A.swift": "try! a()\nlet b = c as! D\nfatalError(\"no\")"],
            ["Sources/Hub/A.swift:1", "Sources/Hub/A.swift:2", "Sources/Hub/A.swift:3"]),

        Plant(.noErrorIsSwallowed, ["Sources/Hub/A.swift": "do { try a() } catch { log(error) }"]),
        Plant(.noErrorIsSwallowed, ["Sources/Hub/A.swift": "do { try a() } catch {\n // never mind\n}"], ["Sources/Hub/A.swift:1"]),

        Plant(.nothingIsLeftForLater, ["Sources/Hub/A.swift": "// done"]),
        Plant(.nothingIsLeftForLater, ["Sources/CLinux/a.c": "\n/* TO" + "DO */"], ["Sources/CLinux/a.c:2"]),

        Plant(.testsDoNotSleep, ["Tests/HubTests/A.swift": "wait(for: condition) // no sleep"]),
        Plant(.testsDoNotSleep, ["Tests/HubTests/A.swift": "while !isReady {\n  f { g() }\n  usleep(1)\n}"]),
        Plant(.testsDoNotSleep, ["Tests/HubTests/A.swift": "while !isReady { f() }\nusleep(1)"], ["Tests/HubTests/A.swift:2"]),
        Plant(.testsDoNotSleep, ["Tests/HubTests/A.swift": "try await Task.sleep(for: .seconds(1))"], ["Tests/HubTests/A.swift:1"]),

        Plant(.loopsDoNotWait, ["Sources/KeySource/A.swift": "try HTTPClient()", "Sources/Linux/B.swift": "Socket.wait(fd)"]),
        Plant(.loopsDoNotWait, ["Sources/Sessions/A.swift": "// Thread.pause\nlet a = b.joined()\nsocket.wait()"]),
        Plant(
            .loopsDoNotWait,
            ["Sources/Sessions/A.swift": "Thread.pause(a)\nlet b = BlockingConnection(c)", "Sources/Reactor/B.swift": "\nt.join()"],
            ["Sources/Reactor/B.swift:2", "Sources/Sessions/A.swift:1", "Sources/Sessions/A.swift:2"]),

        Plant(.locksAreKnown, ["Sources/Reactor/Mailbox.swift": "let a = Locked(1)", "Sources/StoreAPI/B.swift": "// Mutex"]),
        Plant(.locksAreKnown, ["Sources/Transports/FanOut.swift": "\nlet a = Mutex(1)"], ["Sources/Transports/FanOut.swift:2"]),

        Plant(.queuesAreMailboxes, ["Sources/Hub/A.swift": "let a = Mailbox<Int>(capacity: 1, wakes: b)"]),
        Plant(.queuesAreMailboxes, ["Sources/Hub/A.swift": "let a = AsyncStream<Int> { _ in }"], ["Sources/Hub/A.swift:1"]),

        Plant(
            .memoryIsNotSizedByAPeer,
            ["Sources/Kafka/A.swift": "a.reserveCapacity(b)", "Sources/HTTP/B.swift": "String(repeating: c, count: 1)"]),
        Plant(
            .memoryIsNotSizedByAPeer, ["Sources/HTTP/A.swift": "a.reserveCapacity(b)\nlet c = [UInt8](repeating: 0, count: d)"],
            ["Sources/HTTP/A.swift:1", "Sources/HTTP/A.swift:2"]),

        Plant(.testsAreNotSwitchedOff, ["Tests/HubTests/A.swift": "@Test func disabled() {}"]),
        Plant(.testsAreNotSwitchedOff, ["Tests/HubTests/A.swift": "@Test(.disabled(\"flaky\")) func a() {}"], ["Tests/HubTests/A.swift:1"]),

        Plant(.suitesAreGuarded, ["Tests/HubTests/A.swift": "@Suite(\"a {\", .serialized, .guarded)\nstruct A {}"]),
        Plant(.suitesAreGuarded, ["Tests/HubTests/A.swift": "@Suite struct A { let guarded = 1 }"], ["Tests/HubTests/A.swift:1"]),
    ]
}

@Suite("Reading Swift", .guarded)
struct LexerTests {
    @Test(
        "Words in strings and comments do not count as code",
        arguments: [
            ("a /* b /* c */ d */ e", ["a", "e"]),
            ("a \"b \\\" c\" d", ["a", "d"]),
            ("a #\"b \\(c) \" d\"# e", ["a", "e"]),
            ("a #\"b \\#(c)\"# e", ["a", "c", "e"]),
            ("a \"b \\(c(\"d \\(e)\")) f\" g", ["a", "c", "e", "g"]),
            ("a \"\"\"\n b \"c\" \\(d)\n\"\"\" e", ["a", "d", "e"]),
            ("a // b\nc", ["a", "c"]),
        ])
    func words(_ source: String, _ expected: [String]) {
        #expect(Lexer.tokens(of: source).filter { $0.kind == .word }.map(\.text) == expected)
    }

    @Test(
        "Names are divided into words at their capital letters",
        arguments: [
            ("KeySetManager", ["Key", "Set", "Manager"]), ("Base64URL", ["Base64", "URL"]), ("JSONValue", ["JSON", "Value"]),
        ])
    func camelCase(_ name: String, _ expected: [String]) { #expect(camelCaseWords(of: name) == expected) }
}

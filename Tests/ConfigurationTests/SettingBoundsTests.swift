import HangGuard
import Testing

@testable import Configuration

/// What the row of a setting accepts, as its own words say: `SettingsDocumentTests` compares the same words with the reference.
private enum Accepted: Equatable {
    /// From the least to the most, in the smallest unit, which has this suffix.
    case range(ClosedRange<Int>, unit: String)
    case names([String])
    case text
    /// Of any names, or of these.
    case list([String]?)
    case pairs
    case endpoint

    init?(_ setting: Setting) {
        let words = setting.accepts.prefix { $0 != "," }.split(separator: " ")
        let isRange = words.count > 3 && words[words.count - 2] == "to"
        let bounds = isRange ? [words[words.count - 3], words[words.count - 1]].map(String.init) : []
        func range(_ parse: (String) -> Int?, unit: String) -> Accepted? {
            guard bounds.count == 2, let least = parse(bounds[0]), let most = parse(bounds[1]) else { return nil }
            return .range(least...most, unit: unit)
        }
        switch setting.accepts {
        case let accepts where accepts.hasPrefix("a whole number from "):
            guard let found = range({ Int($0) }, unit: "") else { return nil }
            self = found
        case let accepts where accepts.hasPrefix("a size from "):
            guard let found = range(Size.bytes, unit: "B") else { return nil }
            self = found
        case let accepts where accepts.hasPrefix("a duration from "):
            guard let found = range({ Duration(quantity: $0).map { Int($0 / .milliseconds(1)) } }, unit: "ms") else { return nil }
            self = found
        case let accepts where accepts.hasPrefix("one of "):
            self = .names(accepts.dropFirst("one of ".count).split(separator: ", ").map(String.init))
        case "true or false": self = .names(["true", "yes", "on", "1", "false", "no", "off", "0"])
        case let accepts where accepts.hasPrefix("a list of "):
            let names = accepts.dropFirst("a list of ".count).split(separator: ", ").map(String.init)
            self = .list(setting.key == "auth.algorithms" ? names : nil)
        case let accepts where accepts.hasPrefix("pairs of "): self = .pairs
        case let accepts where accepts.hasPrefix("ADDRESS:PORT"): self = .endpoint
        default: self = .text
        }
    }

    var valid: [String] {
        switch self {
        case .range(let range, let unit): ["\(range.lowerBound)\(unit)", "\(range.upperBound)\(unit)"]
        case .names(let names): names
        case .text, .list(nil): ["x"]
        case .list(let names?): names + [names.joined(separator: ",")]
        case .pairs: ["x=y", "x=y,z=", "x=y=z"]
        case .endpoint: ["127.0.0.1:0", "[::]:65535"]
        }
    }

    /// One below, one above, and what is of another form.
    var invalid: [String] {
        switch self {
        case .range(let range, let unit):
            ["\(range.lowerBound - 1)\(unit)", "\(range.upperBound + 1)\(unit)", "", "x", "\(range.lowerBound)x", "1.5\(unit)"]
        case .names(let names): ["", "x"] + names.map { $0 + "x" }
        case .text, .list(nil): [""]
        case .list(let names?): ["", "x", "\(names[0]),x", names[0].lowercased()]
        case .pairs: ["x", "=x", "x=y,z"]
        case .endpoint: ["", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", "example.org:80", "127.0.0.256:80"]
        }
    }
}

@Suite("The bounds of settings", .guarded)
struct SettingBoundsTests {
    /// A new form needs a case above. Most settings have a range.
    @Test func `Every setting has a form that is tested here`() throws {
        let forms = try Setting.all.map { try #require(Accepted($0), "\($0.key): \($0.accepts)") }
        #expect(forms.count { if case .range = $0 { true } else { false } } > 45)
        #expect(
            Set(zip(Setting.all, forms).filter { $1 == .text }.map(\.0.key)) == [
                "data", "auth.jwks", "auth.context-keys", "auth.issuer", "auth.subject-claim", "auth.institution-claim",
                "auth.channels-claim", "kafka.dead-letter-topic", "kafka.group", "kafka.member", "database.url", "bus-topic", "redis.url",
                "rules.file",
                "source.database-url", "source.slot", "source.publication",
            ])
    }

    @Test("The least and the most of each setting are accepted and kept", arguments: Setting.all.map(\.key))
    func accepted(_ key: String) throws {
        let setting = try #require(Setting.byKey[key])
        let form = try #require(Accepted(setting))
        for value in form.valid {
            var configuration = Configuration()
            #expect(setting.set(.text(value), in: &configuration), "\(value)")
            // What is shown can be set again, and is the same value.
            var again = Configuration()
            if form != .pairs { #expect(setting.set(.text(setting.shown(in: configuration)), in: &again) && again == configuration) }
            if case .range(let range, let unit) = form {
                let number = value == form.valid[0] ? range.lowerBound : range.upperBound
                #expect(Accepted.number(setting.shown(in: configuration), unit: unit) == number, "\(value)")
            }
        }
    }

    @Test("One below and one above are refused, and the refusal names the setting", arguments: Setting.all.map(\.key))
    func refused(_ key: String) throws {
        let setting = try #require(Setting.byKey[key])
        let form = try #require(Accepted(setting))
        for value in form.invalid where !(value.isEmpty && Self.acceptsNothing(key)) {
            let flag = EffectiveConfiguration.Flag(name: "--set", key: key, value: value)
            let problem = #expect(throws: ConfigurationRefusal.self, "\(value)") { try EffectiveConfiguration(flags: [flag]) }
            let shown = setting.isSecret ? "…" : value
            #expect(problem?.problems == ["--set: \(key): \"\(shown)\" is not accepted; expected \(setting.accepts)"])
            var configuration = Configuration()
            #expect(!setting.set(.text(value), in: &configuration) && configuration == Configuration())
        }
    }

    /// Lists that may be empty.
    private static func acceptsNothing(_ key: String) -> Bool {
        ["websocket.origins", "kafka.properties", "source.payload-columns"].contains(key)
    }
}

extension Accepted {
    fileprivate static func number(_ text: String, unit: String) -> Int? {
        switch unit {
        case "B": Size.bytes(text)
        case "ms": Duration(quantity: text).map { Int($0 / .milliseconds(1)) }
        default: Int(text)
        }
    }
}

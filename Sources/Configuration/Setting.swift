/// One thing an operator can set: its names, what it accepts, and where it goes in the `Configuration`.
package struct Setting: Sendable {
    /// In the file, by nesting: `limits.message-bytes`.
    package let key: String
    /// In the environment: `HUB_LIMITS_MESSAGE_BYTES`.
    package let variable: String
    /// What it does, why the default, and what happens when it is exceeded.
    package let meaning: String
    /// What it accepts, for people.
    package let accepts: String
    /// Never shown; a password inside a URL is blanked.
    package let isSecret: Bool

    private let assign: @Sendable (RawSetting, inout Configuration) -> Bool
    private let read: @Sendable (Configuration) -> String

    init<Value>(
        _ key: String, _ path: any WritableKeyPath<Configuration, Value> & Sendable, _ form: SettingForm<Value>, variable: String? = nil,
        secret: Bool = false, _ meaning: String
    ) {
        self.key = key
        self.variable = variable ?? Self.variable(for: key)
        self.meaning = meaning
        accepts = form.accepts
        isSecret = secret
        assign = { raw, configuration in
            guard let value = form.read(raw) else { return false }
            configuration[keyPath: path] = value
            return true
        }
        read = { form.show($0[keyPath: path]) }
    }

    /// False when the value is not accepted; the configuration is unchanged then.
    package func set(_ raw: RawSetting, in configuration: inout Configuration) -> Bool { assign(raw, &configuration) }

    /// As it would be written, secrets masked.
    package func shown(in configuration: Configuration) -> String {
        let text = read(configuration)
        return isSecret ? Self.masked(text) : text
    }

    /// Everything between the user's name and the host of an address, and any `password=` word.
    package static func masked(_ text: String) -> String {
        var words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        for index in words.indices where words[index].hasPrefix("password=") { words[index] = "password=…" }
        let whole = words.joined(separator: " ")
        guard let scheme = whole.firstRange(of: "://"), let at = whole[scheme.upperBound...].lastIndex(of: "@"),
            let colon = whole[scheme.upperBound..<at].firstIndex(of: ":")
        else { return whole }
        return whole[...colon] + "…" + whole[at...]
    }

    /// Names, default, what it accepts and what it means, for a terminal.
    package var explanation: String {
        let standard = shown(in: Configuration())
        return "\(key)  (\(variable))\n    \(meaning)\n    expects \(accepts); default: \(standard.isEmpty ? "none" : standard)\n"
    }

    /// The table of docs/reference/operations.md, in which a test holds it.
    package static var markdownTable: String {
        "| setting | environment | default | accepts | meaning |\n|---|---|---|---|---|\n"
            + all.map { setting in
                let standard = setting.shown(in: Configuration())
                let shown = standard.isEmpty ? "–" : "`\(standard)`"
                return "| `\(setting.key)` | `\(setting.variable)` | \(shown) | \(setting.accepts) | \(setting.meaning) |\n"
            }.joined()
    }

    private static func variable(for key: String) -> String {
        "HUB_" + String(key.map { $0 == "." || $0 == "-" ? "_" : $0 }).uppercased()
    }

    /// In the order they are shown.
    package static let all: [Setting] = general + limits + outbound + websocket + fallback + auth + kafka + database

    static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
    static let byVariable = Dictionary(uniqueKeysWithValues: all.map { ($0.variable, $0) })
}

/// One setting: its names, the accepted values and its property of `Configuration`.
package struct Setting: Sendable {
    /// The name in the file, where dots separate levels: `limits.message-bytes`.
    package let key: String
    /// The name of the environment variable: `HUB_LIMITS_MESSAGE_BYTES`.
    package let variable: String
    /// The setting's effect, the reason for its default and the consequence of exceeding it.
    package let meaning: String
    /// A description of the accepted values.
    package let accepts: String
    /// Output masks a secret value, for example the password in a URL.
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

    /// False when the setting does not accept the value. The configuration is then unchanged.
    package func set(_ raw: RawSetting, in configuration: inout Configuration) -> Bool { assign(raw, &configuration) }

    /// The value in the form of the configuration file, with secrets masked.
    package func shown(in configuration: Configuration) -> String {
        let text = read(configuration)
        return isSecret ? Self.masked(text) : text
    }

    /// Masks the text between the user's name and the host of an address, and the value of each parameter whose name ends with `password`:
    /// among libpq's words, where it may be quoted and have spaces around `=`, and in the query of an address.
    package static func masked(_ text: String) -> String {
        let whole = text.replacing(/(?<name>password\s*=\s*)(?:'(?:\\.|[^'\\])*'?|(?:\\.|[^\s&#'])*)/.ignoresCase()) { "\($0.name)…" }
        guard let scheme = whole.firstRange(of: "://"), let at = whole[scheme.upperBound...].lastIndex(of: "@"),
            let colon = whole[scheme.upperBound..<at].firstIndex(of: ":")
        else { return whole }
        return whole[...colon] + "…" + whole[at...]
    }

    /// The names, default, accepted values and meaning, formatted for a terminal.
    package var explanation: String {
        let standard = shown(in: Configuration())
        return "\(key)  (\(variable))\n    \(meaning)\n    expects \(accepts); default: \(standard.isEmpty ? "none" : standard)\n"
    }

    /// The table in docs/reference/operations.md. A test compares the two.
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

    /// All settings in the order of the output.
    package static let all: [Setting] =
        general + limits + shares + outbound + websocket + fallback + auth + kafka + rules + source
        + database + retention

    static let byKey = Dictionary(uniqueKeysWithValues: all.map { ($0.key, $0) })
    static let byVariable = Dictionary(uniqueKeysWithValues: all.map { ($0.variable, $0) })
}

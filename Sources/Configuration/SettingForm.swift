/// A value from a source of settings before validation.
package enum RawSetting: Equatable, Sendable {
    case text(String)
    /// A list or a mapping in the file. The members of a mapping have the form `name=value`.
    case list([String])

    /// The elements of a list. In the environment and in flags, commas separate them.
    var items: [String] {
        switch self {
        case .list(let items): items
        case .text(let text): text.split(separator: ",").map { String($0.trimmingSpaces) }
        }
    }

    var text: String {
        switch self {
        case .text(let text): text
        case .list(let items): items.joined(separator: ",")
        }
    }
}

extension StringProtocol {
    package var trimmingSpaces: SubSequence {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

/// The description, parser and output format of a type's values.
struct SettingForm<Value: Sendable>: Sendable {
    /// A description of the accepted values: "a duration from 1s to 1h, such as 30s".
    let accepts: String
    /// Parses a value; nil when it is not acceptable.
    let read: @Sendable (RawSetting) -> Value?
    let show: @Sendable (Value) -> String

    /// A form for single values, which refuses lists.
    static func scalar(
        _ accepts: String, show: @escaping @Sendable (Value) -> String = { "\($0)" }, read: @escaping @Sendable (String) -> Value?
    ) -> SettingForm {
        SettingForm(
            accepts: accepts,
            read: { raw in
                guard case .text(let text) = raw else { return nil }
                return read(text)
            }, show: show)
    }
}

extension SettingForm where Value == Int {
    static func count(_ range: ClosedRange<Int>) -> SettingForm {
        .scalar("a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    static func size(_ range: ClosedRange<Int>) -> SettingForm {
        .scalar("a size from \(Size.text(range.lowerBound)) to \(Size.text(range.upperBound))", show: Size.text) { text in
            Size.bytes(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension SettingForm where Value == Duration {
    static func duration(_ range: ClosedRange<Duration>) -> SettingForm {
        .scalar("a duration from \(range.lowerBound.quantity) to \(range.upperBound.quantity)", show: \.quantity) { text in
            Duration(quantity: text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}

extension SettingForm where Value == Bool {
    static let yesOrNo = SettingForm.scalar("true or false") { text in
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0": false
        default: nil
        }
    }
}

extension SettingForm where Value == String {
    static func text(_ what: String) -> SettingForm {
        .scalar(what) { $0.isEmpty ? nil : $0 }
    }

    static func choice(_ names: [String]) -> SettingForm {
        .scalar("one of " + names.joined(separator: ", ")) { names.contains($0) ? $0 : nil }
    }
}

extension SettingForm where Value == String? {
    private static func orEmpty(_ value: String?) -> String { value ?? "" }

    static func optionalText(_ what: String) -> SettingForm {
        .scalar(what, show: orEmpty) { $0.isEmpty ? nil : .some($0) }
    }
}

extension SettingForm where Value == [String] {
    /// A form for a list of names; `of` restricts the names.
    static func list(_ what: String, of names: [String]? = nil, mayBeEmpty: Bool = false) -> SettingForm {
        let choice = names.map { " of " + $0.joined(separator: ", ") } ?? ""
        return SettingForm(
            accepts: what + choice,
            read: { raw in
                let items = raw.items
                guard mayBeEmpty || !items.isEmpty, items.allSatisfy({ !$0.isEmpty }) else { return nil }
                if let names, !items.allSatisfy(names.contains) { return nil }
                return items
            }, show: { $0.joined(separator: ",") })
    }
}

extension SettingForm where Value == [NamedValue] {
    static let pairs = SettingForm(
        accepts: "pairs of a name and a value: a mapping in the file, name=value,name=value elsewhere",
        read: { raw in
            var pairs: [NamedValue] = []
            for item in raw.items {
                guard let equals = item.firstIndex(of: "="), equals != item.startIndex else { return nil }
                pairs.append(NamedValue(name: String(item[..<equals]), value: String(item[item.index(after: equals)...])))
            }
            return pairs
        },
        // The output hides the values, because they may be passwords.
        show: { $0.map { "\($0.name)=…" }.joined(separator: ",") })
}

extension SettingForm where Value == ListenEndpoint {
    static let endpoint = SettingForm.scalar("ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080", show: \.description) {
        ListenEndpoint($0)
    }
}

extension SettingForm where Value == ListenEndpoint? {
    static let optionalEndpoint = SettingForm.scalar(
        "ADDRESS:PORT, such as 127.0.0.1:9090", show: { $0?.description ?? "" }, read: { text in ListenEndpoint(text).map { .some($0) } })
}

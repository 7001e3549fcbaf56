/// The content of `embedded.env`, by which other programs find a running embedded hub. Shells read it with `. .hub/embedded.env`.
package struct EmbeddedFacts: Equatable, Sendable {
    package static let fileName = "embedded.env"

    package var url: String
    package var databaseURL: String
    package var kafkaBrokers: String
    /// The file of the development keys. `issuer` and `audience` are the claims of tokens signed with them.
    package var keys: String
    package var issuer: String
    package var audience: String

    package init(url: String, databaseURL: String, kafkaBrokers: String, keys: String, issuer: String, audience: String) {
        self.url = url
        self.databaseURL = databaseURL
        self.kafkaBrokers = kafkaBrokers
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
    }

    private static let names = ["HUB_URL", "HUB_DATABASE_URL", "HUB_KAFKA_BROKERS", "HUB_JWKS", "HUB_ISSUER", "HUB_AUDIENCE"]

    package var text: String {
        let values = [url, databaseURL, kafkaBrokers, keys, issuer, audience]
        return "# Written by the running embedded hub; gone when it stops. In a shell: . .hub/\(Self.fileName)\n"
            + zip(Self.names, values).map { "\($0)=\(Self.quoted($1))\n" }.joined() + "export \(Self.names.joined(separator: " "))\n"
    }

    /// Parses the format of `text`; nil when a value is missing.
    package init?(_ text: String) {
        var found: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            found[String(line[..<equals])] = Self.unquoted(line[line.index(after: equals)...])
        }
        let values = Self.names.compactMap { found[$0] }
        guard values.count == Self.names.count else { return nil }
        self.init(
            url: values[0], databaseURL: values[1], kafkaBrokers: values[2], keys: values[3], issuer: values[4], audience: values[5])
    }

    private static func quoted(_ value: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/@.,_+-%")
        if !value.isEmpty, value.allSatisfy(plain.contains) { return value }
        return "'" + value.replacing("'", with: "'\\''") + "'"
    }

    private static func unquoted(_ value: Substring) -> String {
        guard value.hasPrefix("'"), value.hasSuffix("'"), value.count >= 2 else { return String(value) }
        return String(value.dropFirst().dropLast()).replacing("'\\''", with: "'")
    }
}

import Bytes
import HangGuard
import Linux
import Testing

@testable import Configuration

@Suite("Configuration", .guarded)
struct ConfigurationTests {
    typealias Flag = EffectiveConfiguration.Flag

    private func refusal(
        file: String? = nil, environment: [String: String] = [:], flags: [Flag] = []
    ) throws -> [String] {
        let file = file.map { EffectiveConfiguration.File(path: "hub.yaml", text: $0) }
        do throws(ConfigurationRefusal) {
            _ = try EffectiveConfiguration(file: file, environment: environment, flags: flags)
            return []
        } catch {
            return error.problems
        }
    }

    @Test("Without sources every setting has its default and reports it")
    func defaults() throws {
        let effective = try EffectiveConfiguration()
        #expect(effective.configuration == Configuration())
        #expect(Setting.all.allSatisfy { effective.origin(of: $0) == .byDefault })
        #expect(effective.warnings.isEmpty)
    }

    @Test("Flags override the environment, the environment the file, the file the defaults; the embedded services override all")
    func layers() throws {
        let file = EffectiveConfiguration.File(
            path: "hub.yaml",
            text: """
                limits: { subscriptions: 1, in-flight: 1, set-size: 1, history-page: 1 }
                """)
        let effective = try EffectiveConfiguration(
            file: file,
            environment: ["HUB_LIMITS_IN_FLIGHT": "2", "HUB_LIMITS_SET_SIZE": "2", "HUB_LIMITS_HISTORY_PAGE": "2"],
            flags: [
                Flag(name: "--set", key: "limits.set-size", value: "3"), Flag(name: "--set", key: "limits.history-page", value: "3"),
            ]
        ).with(embedded: [("limits.history-page", "4")])
        let limits = effective.configuration.limits
        #expect([limits.connections, limits.subscriptions, limits.inFlight, limits.setSize, limits.historyPage] == [100_000, 1, 2, 3, 4])
        let origins = ["connections", "subscriptions", "in-flight", "set-size", "history-page"].compactMap { Setting.byKey["limits." + $0] }
        #expect(
            origins.map { "\(effective.origin(of: $0))" } == ["default", "hub.yaml:1", "HUB_LIMITS_IN_FLIGHT", "--set", "embedded"])
    }

    @Test("A source overrides the embedded services' defaults, but not their values")
    func embeddedDefaults() throws {
        let chosen = try EffectiveConfiguration(flags: [Flag(name: "--set", key: "drain.within", value: "9s")])
        let effective = try chosen.with(embedded: [("auth.issuer", "i")], defaults: [("drain.within", "2s"), ("drain.spread", "0s")])
        #expect(effective.configuration.drain.within == .seconds(9))
        #expect(effective.configuration.drain.spread == .zero)
        #expect(effective.configuration.auth.issuer == "i")
    }

    @Test("Every setting accepts its shown value in each source")
    func roundTrip() throws {
        for setting in Setting.all where setting.key != "kafka.properties" {
            let shown = setting.shown(in: Configuration())
            guard !shown.isEmpty else { continue }
            let file = EffectiveConfiguration.File(path: "f", text: setting.key.asNestedYAML(value: shown))
            #expect(try EffectiveConfiguration(file: file).configuration == Configuration(), "\(setting.key) in the file")
            #expect(
                try EffectiveConfiguration(environment: [setting.variable: shown]).configuration == Configuration(),
                "\(setting.variable) in the environment")
        }
    }

    @Test("The environment variables with special names set their settings")
    func fixedNames() throws {
        let configuration = try EffectiveConfiguration(environment: [
            "HUB_DATABASE_URL": "postgresql://hub@db/hub", "HUB_KAFKA_BROKERS": "a:9092, b:9092", "HUB_LISTEN": "0.0.0.0:80",
            "HUB_JWKS": "https://id.example.org/jwks", "HUB_ISSUER": "https://id.example.org", "HUB_AUDIENCE": "hub,portfolio",
        ]).configuration
        #expect(configuration.database.url == "postgresql://hub@db/hub")
        #expect(configuration.kafka.brokers == ["a:9092", "b:9092"])
        #expect(configuration.listen == ListenEndpoint(host: "0.0.0.0", port: 80))
        #expect(configuration.auth.jwks == "https://id.example.org/jwks")
        #expect(configuration.auth.issuer == "https://id.example.org")
        #expect(configuration.auth.audience == ["hub", "portfolio"])
    }

    @Test("A file may have nested keys, lists, quotes and comments")
    func file() throws {
        let text = """
            # the platform's hub
            listen: "[::1]:9000"
            limits:
              message-bytes: 128KiB
              connect-within: 5s
            auth:
              roles-claims: [roles, realm_access.roles]
              issuer: 'https://id.example.org'
            kafka:
              brokers:
                - kafka-1:9092
                - kafka-2:9092
              properties:
                security.protocol: sasl_ssl
                sasl.password: "a=b,c"
            websocket: { deflate: no, origins: [] }
            """
        let configuration = try EffectiveConfiguration(file: .init(path: "hub.yaml", text: text)).configuration
        #expect(configuration.listen == ListenEndpoint(host: "::1", port: 9000))
        #expect(configuration.limits.messageBytes == 131_072)
        #expect(configuration.limits.connectWithin == .seconds(5))
        #expect(configuration.auth.rolesClaims == ["roles", "realm_access.roles"])
        #expect(configuration.kafka.brokers == ["kafka-1:9092", "kafka-2:9092"])
        #expect(
            configuration.kafka.properties == [
                NamedValue(name: "security.protocol", value: "sasl_ssl"), NamedValue(name: "sasl.password", value: "a=b,c"),
            ])
        #expect(!configuration.websocket.deflate.enabled)
    }

    @Test(
        "A refusal names the line, the key and the accepted values",
        arguments: [
            (
                "limits:\n  message-bytes: 64KB",
                "hub.yaml:2: limits.message-bytes: \"64KB\" is not accepted; expected a size from 1KiB to 16MiB"
            ),
            ("limits: { in-flight: 0 }", "hub.yaml:1: limits.in-flight: \"0\" is not accepted; expected a whole number from 1 to 65536"),
            ("drain: { within: 20 }", "hub.yaml:1: drain.within: \"20\" is not accepted; expected a duration from 0s to 1h"),
            ("embedded: maybe", "hub.yaml:1: embedded: \"maybe\" is not accepted; expected true or false"),
            (
                "log: { level: loud }",
                "hub.yaml:1: log.level: \"loud\" is not accepted; expected one of trace, debug, info, notice, warning, error, critical"
            ),
            (
                "limits: { in-flight: [1, 2] }",
                "hub.yaml:1: limits.in-flight: \"1,2\" is not accepted; expected a whole number from 1 to 65536"
            ),
            ("limits:\n  mesage-bytes: 1KiB", "hub.yaml:2: limits.mesage-bytes: no such setting; did you mean limits.message-bytes?"),
            ("colour: red", "hub.yaml:1: colour: no such setting; `hub check --explain` lists all"),
            ("listen:", "hub.yaml:1: listen has no value"),
            ("just words", "hub.yaml:1: expected settings as `key: value`"),
            ("listen: a:1\nlisten: b:1", "hub.yaml:1: set twice: listen"),
            ("a: [1", "hub.yaml:2: not YAML: did not find expected ',' or ']'"),
        ])
    func fileRefusals(_ text: String, _ expected: String) throws {
        #expect(try refusal(file: text) == [expected])
    }

    @Test(
        "Keys are fetched over http:// only from this machine, unless the setting allows more",
        arguments: [
            ("http://id.example.org/jwks", false), ("http://10.0.0.1:80/jwks", false), ("http://127.0.0.1@id.example.org/jwks", false),
            ("http://id.example.org?@127.0.0.1/", false), ("http://[::2]/jwks", false), ("http://localhost.example.org/", false),
            ("http://", false), ("https://id.example.org/jwks", true), ("http://localhost/jwks", true),
            ("http://127.1.2.3:8080/jwks", true), ("http://[::1]:8080/jwks", true), ("http://me@localhost:1/", true),
            ("/etc/hub/jwks.json", true), ("http.json", true),
        ])
    func plainHTTPKeys(_ jwks: String, isAccepted: Bool) throws {
        let problems = try refusal(environment: ["HUB_JWKS": jwks])
        #expect(problems.isEmpty == isAccepted)
        #expect(problems.allSatisfy { $0.hasPrefix("auth.jwks (HUB_JWKS): ") && $0.contains("https://") })
        #expect(try refusal(environment: ["HUB_JWKS": jwks, "HUB_AUTH_JWKS_OVER_PLAIN_HTTP": "true"]).isEmpty)
    }

    @Test("A refusal names the variable or flag of the value")
    func otherRefusals() throws {
        #expect(
            try refusal(environment: ["HUB_LISTEN": "8080"]) == [
                "HUB_LISTEN: \"8080\" is not accepted; expected ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080"
            ])
        #expect(
            try refusal(flags: [Flag(name: "--listen", key: "listen", value: "x")]) == [
                "--listen: listen: \"x\" is not accepted; expected ADDRESS:PORT, such as 127.0.0.1:8080 or [::1]:8080"
            ])
        #expect(
            try refusal(flags: [Flag(name: "--set", key: "limits.inflight", value: "1")]) == [
                "--set limits.inflight: no such setting; did you mean limits.in-flight?"
            ])
    }

    @Test("All problems are reported together")
    func allAtOnce() throws {
        #expect(try refusal(file: "a: 1\nb: 2", environment: ["HUB_LISTEN": "x"]).count == 3)
    }

    @Test("An unknown variable causes a warning with a suggestion; empty variables and those without the prefix are ignored")
    func unknownVariables() throws {
        let effective = try EffectiveConfiguration(environment: [
            "HUB_ISSUERR": "x", "HUB_LISTEN": "", "HUB_URL": "http://127.0.0.1:1", "PATH": "/bin",
        ])
        #expect(effective.warnings == ["HUB_ISSUERR: no such setting; did you mean HUB_ISSUER?"])
        #expect(effective.configuration == Configuration())
    }

    @Test(
        "Values that contradict each other are refused",
        arguments: [
            "outbound: { low-watermark-bytes: 256KiB }", "outbound: { backlog-bytes: 319KiB }", "limits: { body-bytes: 64KiB }",
            "embedded: true\nlisten: 0.0.0.0:8080", "embedded: true\nlisten: \"*:8080\"",
            "embedded: true\nlisten: 127.0.0.1.example.org:80",
        ])
    func contradictions(_ text: String) throws { #expect(try refusal(file: text).count == 1) }

    @Test("The backlog may be as small as the high watermark and one entry")
    func smallestBacklog() throws { #expect(try refusal(file: "outbound: { backlog-bytes: 320KiB }") == []) }

    @Test(
        "The embedded services may listen on any loopback address",
        arguments: ["127.0.0.1:0", "127.3.2.1:80", "localhost:8080", "\"[::1]:8080\""])
    func loopback(_ listen: String) throws { #expect(try refusal(file: "embedded: true\nlisten: \(listen)") == []) }

    @Test("A refusal names each missing setting and its variable")
    func requirements() throws {
        let effective = try EffectiveConfiguration(environment: ["HUB_KAFKA_BROKERS": "a:1", "HUB_JWKS": "keys.json", "HUB_ISSUER": "i"])
        try effective.require(.publish)
        do throws(ConfigurationRefusal) {
            try effective.require(.serve)
            Issue.record("nothing was missing")
        } catch {
            #expect(error.problems.count == 2)
            #expect(error.problems[0].hasPrefix("database.url is not set: postgresql://"))
            #expect(error.problems[0].contains("HUB_DATABASE_URL"))
            #expect(error.problems[1].contains("HUB_AUDIENCE"))
        }
    }

    @Test("Secrets are never shown")
    func secrets() throws {
        let environment = [
            "HUB_DATABASE_URL": "postgresql://hub:s3cret@db:5432/hub?sslmode=require", "HUB_KAFKA_PROPERTIES": "sasl.password=s3cret",
        ]
        let lines = try EffectiveConfiguration(environment: environment).lines.joined(separator: "\n")
        #expect(!lines.contains("s3cret"))
        #expect(lines.contains("postgresql://hub:…@db:5432/hub?sslmode=require"))
        let words = try EffectiveConfiguration(environment: ["HUB_DATABASE_URL": "host=db password=s3cret user=hub"]).lines.joined()
        #expect(!words.contains("s3cret") && words.contains("host=db password=… user=hub"))
        #expect(Setting.masked("postgresql://hub@db/hub") == "postgresql://hub@db/hub")
        let keys = try EffectiveConfiguration(environment: ["HUB_JWKS": "https://hub:s3cret@idp.example.org/keys"]).lines.joined()
        #expect(!keys.contains("s3cret") && keys.contains("https://hub:…@idp.example.org/keys"))
    }

    @Test(
        "Passwords are masked wherever libpq accepts one",
        arguments: [
            ("postgresql://hub@db/hub?password=s3cret&sslmode=require", "postgresql://hub@db/hub?password=…&sslmode=require"),
            ("postgresql://hub@db/hub?sslpassword=s3cret", "postgresql://hub@db/hub?sslpassword=…"),
            ("host=db password = s3cret user=hub", "host=db password = … user=hub"),
            ("password='s3 cret' host=db", "password=… host=db"), (#"password='s3\'cret x' host=db"#, "password=… host=db"),
            (#"password=s3\ cret host=db"#, "password=… host=db"), ("password='s3cret", "password=…"),
            ("host=db password=", "host=db password=…"),
        ])
    func passwords(text: String, masked: String) { #expect(Setting.masked(text) == masked) }

    @Test("Names are unique, and every row has a meaning")
    func rows() {
        #expect(Set(Setting.all.map(\.variable)).count == Setting.all.count)
        #expect(Setting.all.allSatisfy { $0.meaning.count > 20 && $0.meaning.hasSuffix(".") && !$0.accepts.isEmpty })
    }
}

extension String {
    /// `a.b` with a value as nested YAML.
    fileprivate func asNestedYAML(value: String) -> String {
        let parts = split(separator: ".")
        let keys = parts.enumerated().map { depth, part in String(repeating: " ", count: depth) + part + ":" }
        return keys.joined(separator: "\n") + " \"" + value + "\""
    }
}

@Suite("Quantities", .guarded)
struct QuantitiesTests {
    @Test(
        "Durations are a whole number and a unit",
        arguments: [
            ("0s", Duration.zero), ("250ms", .milliseconds(250)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
            ("2d", .seconds(172_800)),
        ])
    func durations(_ text: String, _ duration: Duration) {
        #expect(Duration(quantity: text) == duration)
        #expect(duration.quantity == text)
    }

    @Test(
        "Sizes are a whole number and a binary unit",
        arguments: [("0B", 0), ("1B", 1), ("1000B", 1000), ("64KiB", 65_536), ("3MiB", 3 << 20)])
    func sizes(_ text: String, _ bytes: Int) {
        #expect(Size.bytes(text) == bytes)
        #expect(Size.text(bytes) == text)
    }

    @Test("Anything else is no quantity", arguments: ["", "s", "30", "-1s", "1.5h", "1 s", "1S", "99999999999999999d", "٣s"])
    func noDurations(_ text: String) { #expect(Duration(quantity: text) == nil) }

    @Test("Anything else is no size", arguments: ["", "KiB", "64KB", "64k", "-1", "1.5MiB", "9223372036854775807GiB"])
    func noSizes(_ text: String) { #expect(Size.bytes(text) == nil) }
}

@Suite("The nearest name", .guarded)
struct NearestNameTests {
    @Test(
        "Edits count insertions, deletions, replacements and swaps",
        arguments: [("ab", "ab", 0), ("", "abc", 3), ("abc", "acb", 1), ("kitten", "sitting", 3)])
    func edits(_ a: String, _ b: String, _ count: Int) { #expect(NearestName.edits(from: Array(a.utf8), to: Array(b.utf8)) == count) }

    @Test("Only near names are suggested")
    func suggestion() {
        #expect(NearestName.suggestion(for: "lsiten", among: ["listen", "data"]) == "listen")
        #expect(NearestName.suggestion(for: "zzz", among: ["listen", "data"]) == nil)
    }
}

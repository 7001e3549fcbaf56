import Bytes

/// The configuration of a running hub, and the source of each value.
///
/// Built from defaults < file < environment < flags < values of the embedded services. All faults are reported together, so that an
/// operator corrects them in one step.
package struct EffectiveConfiguration: Equatable, Sendable {
    package private(set) var configuration = Configuration()
    /// The sources by key. A key without a source has its default.
    package private(set) var origins: [String: Origin] = [:]
    /// Messages for the operator that do not prevent a start.
    package private(set) var warnings: [String] = []

    package enum Origin: Equatable, Sendable, CustomStringConvertible {
        case byDefault
        case file(path: String, line: Int)
        case variable(String)
        case flag(String)
        case embedded

        package var description: String {
            switch self {
            case .byDefault: "default"
            case .file(let path, let line): "\(path):\(line)"
            case .variable(let name): name
            case .flag(let flag): flag
            case .embedded: "embedded"
            }
        }
    }

    /// A flag of the command line that sets `key`.
    package struct Flag: Equatable, Sendable {
        /// The flag on the command line: `--listen`.
        package var name: String
        package var key: String
        package var value: String
        package init(name: String, key: String, value: String) {
            self.name = name
            self.key = key
            self.value = value
        }

        /// `--set limits.message-bytes=128KiB`; nil without an equals sign.
        package init?(assignment: String) {
            guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else { return nil }
            self.init(
                name: "--set", key: String(assignment[..<equals]), value: String(assignment[assignment.index(after: equals)...]))
        }
    }

    package struct File: Equatable, Sendable {
        package var path: String
        package var text: String
        package init(path: String, text: String) {
            self.path = path
            self.text = text
        }
    }

    /// - Throws: all faults, one line each.
    package init(file: File? = nil, environment: [String: String] = [:], flags: [Flag] = []) throws(ConfigurationRefusal) {
        var problems: [String] = []
        if let file { read(file, problems: &problems) }
        read(environment, problems: &problems)
        for flag in flags {
            guard let setting = Setting.byKey[flag.key] else {
                problems.append(Self.unknown("\(flag.name) \(flag.key)", written: flag.key, among: Setting.byKey.keys))
                continue
            }
            assign(.text(flag.value), to: setting, from: .flag(flag.name), problems: &problems)
        }
        problems += contradictions
        guard problems.isEmpty else { throw ConfigurationRefusal(problems: problems) }
    }

    /// Adds the values of the embedded services, which override every source, and `defaults` for keys without a source.
    package func with(
        embedded values: [(key: String, value: String)], defaults: [(key: String, value: String)] = []
    ) throws(ConfigurationRefusal) -> EffectiveConfiguration {
        var result = self
        var problems: [String] = []
        for (key, value) in values + defaults.filter({ origins[$0.key] == nil }) {
            guard let setting = Setting.byKey[key] else {
                problems.append(Self.unknown("embedded \(key)", written: key, among: Setting.byKey.keys))
                continue
            }
            result.assign(.text(value), to: setting, from: .embedded, problems: &problems)
        }
        guard problems.isEmpty else { throw ConfigurationRefusal(problems: problems) }
        return result
    }

    package func origin(of setting: Setting) -> Origin { origins[setting.key] ?? .byDefault }

    /// Variables with the prefix `HUB_` that are not settings.
    static let otherVariables: Set<String> = ["HUB_CONFIG", "HUB_URL", "HUB_TOKEN"]

    private mutating func read(_ file: File, problems: inout [String]) {
        let items: [ConfigurationFile.Item]
        do throws(ConfigurationFile.Failure) {
            items = try ConfigurationFile(file.text) { $0 == "kafka.properties" }.items
        } catch {
            problems.append("\(file.path)\(error.line.map { ":\($0)" } ?? ""): \(error.message)")
            return
        }
        for item in items {
            let origin = Origin.file(path: file.path, line: item.line)
            guard let setting = Setting.byKey[item.key] else {
                problems.append(Self.unknown("\(origin): \(item.key)", written: item.key, among: Setting.byKey.keys))
                continue
            }
            assign(item.value, to: setting, from: origin, problems: &problems)
        }
    }

    private mutating func read(_ environment: [String: String], problems: inout [String]) {
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("HUB_") {
            // Docker Compose passes unset variables as empty ones.
            guard !value.isEmpty, !Self.otherVariables.contains(name) else { continue }
            guard let setting = Setting.byVariable[name] else {
                warnings.append(Self.unknown(name, written: name, among: Setting.byVariable.keys))
                continue
            }
            assign(.text(value), to: setting, from: .variable(name), problems: &problems)
        }
    }

    private mutating func assign(_ raw: RawSetting, to setting: Setting, from origin: Origin, problems: inout [String]) {
        if setting.set(raw, in: &configuration) {
            origins[setting.key] = origin
        } else {
            let value = setting.isSecret ? "…" : raw.text
            let name = "\(origin)" == setting.variable ? setting.variable : "\(origin): \(setting.key)"
            problems.append("\(name): \"\(value)\" is not accepted; expected \(setting.accepts)")
        }
    }

    private static func unknown(_ name: String, written: String, among names: some Sequence<String>) -> String {
        let meant =
            NearestName.suggestion(for: written, among: names).map { "; did you mean \($0)?" } ?? "; `hub check --explain` lists all"
        return "\(name): no such setting\(meant)"
    }

    /// Combinations of values that contradict each other.
    private var contradictions: [String] {
        func source(_ key: String) -> String { "\(key) (\(origins[key] ?? .byDefault))" }
        var found: [String] = []
        let outbound = configuration.outbound
        if outbound.lowWatermarkBytes >= outbound.highWatermarkBytes {
            found.append("\(source("outbound.low-watermark-bytes")) must be less than \(source("outbound.high-watermark-bytes"))")
        }
        // Otherwise an entry that is pushed just below the watermark would end the session, and its replay would do so again.
        if outbound.backlogBytes < outbound.highWatermarkBytes + Configuration.Outbound.entryBytes {
            let room = Size.text(Configuration.Outbound.entryBytes)
            found.append(
                "\(source("outbound.backlog-bytes")) must be at least \(source("outbound.high-watermark-bytes")) and \(room), so that an entry fits between them"
            )
        }
        if configuration.limits.bodyBytes >= configuration.limits.messageBytes {
            found.append("\(source("limits.body-bytes")) must be less than \(source("limits.message-bytes")), which carries it")
        }
        if let jwks = configuration.auth.jwks, KeyLocation(jwks).isPlainHTTPElsewhere, !configuration.auth.jwksOverPlainHTTP {
            found.append(
                "\(source("auth.jwks")): \"\(jwks)\" is not fetched over http://, because an attacker who changes the response could sign in as any user; expected https://, a loopback address or a file (or auth.jwks-over-plain-http: true)"
            )
        }
        if configuration.embedded, !configuration.listen.isLoopback {
            found.append(
                "\(source("listen")): the embedded services are for this machine only; expected a loopback address such as 127.0.0.1:8080, not \(configuration.listen)"
            )
        }
        return found
    }
}

/// The reasons why the hub does not start: one line each, with the source, the key and the accepted values.
package struct ConfigurationRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    package let problems: [String]
    package init(problems: [String]) { self.problems = problems }
    package var description: String { problems.joined(separator: "\n") }
}

extension EffectiveConfiguration {
    /// A command that needs certain settings.
    package enum Purpose: Sendable {
        case serve
        case migrate
        case publish

        fileprivate var needs: [String] {
            switch self {
            case .serve: ["database.url", "kafka.brokers", "auth.jwks", "auth.issuer", "auth.audience"]
            case .migrate: ["database.url"]
            case .publish: ["kafka.brokers"]
            }
        }
    }

    /// - Throws: a line for each setting that `purpose` needs and that no source contains.
    package func require(_ purpose: Purpose) throws(ConfigurationRefusal) {
        let missing = purpose.needs.compactMap { Setting.byKey[$0] }.filter { origins[$0.key] == nil }
        guard missing.isEmpty else {
            throw ConfigurationRefusal(
                problems: missing.map { "\($0.key) is not set: \($0.accepts), as \($0.variable) or in the file. \($0.meaning)" })
        }
    }

    /// One line `key = value  (origin)` per setting, with secrets masked.
    package var lines: [String] {
        let rows = Setting.all.map { (name: $0.key, value: $0.shown(in: configuration), origin: origin(of: $0)) }
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { row in
            row.name + String(repeating: " ", count: width - row.name.count) + " = \(row.value)  (\(row.origin))"
        }
    }
}

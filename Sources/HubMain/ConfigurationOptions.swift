import ArgumentParser
import Configuration
import Embedded
import Hub
import HubClient
import Linux
import Telemetry

/// The options for the sources of settings, which several commands share.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The YAML file of settings; `hub check --explain` lists them all. (environment: HUB_CONFIG)", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp(
            "A setting by its name, such as limits.message-bytes=128KiB. May be given several times.", valueName: "key=value"))
    var assignments: [String] = []

    @Option(help: ArgumentHelp("Folder of the embedded hub. (default: .hub)", valueName: "dir"))
    var data: String?

    /// - Parameter flags: the command's own flags, which override every other source.
    func load(_ flags: [EffectiveConfiguration.Flag] = []) throws(CommandFailure) -> EffectiveConfiguration {
        var all: [EffectiveConfiguration.Flag] = []
        for assignment in assignments {
            guard let flag = EffectiveConfiguration.Flag(assignment: assignment) else {
                throw CommandFailure(.usage, "--set \(assignment): expected key=value, such as limits.message-bytes=128KiB")
            }
            all.append(flag)
        }
        if let data { all.append(EffectiveConfiguration.Flag(name: "--data", key: "data", value: data)) }
        let path = config ?? Machine.environment("HUB_CONFIG").flatMap { $0.isEmpty ? nil : $0 }
        let file = try path.map { path throws(CommandFailure) in EffectiveConfiguration.File(path: path, text: try text(of: path)) }
        do throws(ConfigurationRefusal) {
            return try EffectiveConfiguration(file: file, environment: environment, flags: all + flags)
        } catch {
            throw CommandFailure(error)
        }
    }

    /// The configured database, or that of an embedded hub.
    func databaseURL() throws(CommandFailure) -> String {
        let effective = try load()
        if let url = effective.configuration.database.url ?? EmbeddedLocation(folder: effective.configuration.data).facts?.databaseURL {
            return url
        }
        do throws(ConfigurationRefusal) {
            try effective.require(.migrate)
        } catch {
            throw CommandFailure(error)
        }
        throw CommandFailure(.configuration, "database.url is not set")
    }

    /// The configured brokers, or those of an embedded hub, and where their address comes from.
    func kafka() throws(CommandFailure) -> (Configuration.Kafka, EffectiveConfiguration.Origin) {
        let effective = try load()
        let configuration = effective.configuration
        var kafka = configuration.kafka
        guard kafka.brokers.isEmpty else {
            return (kafka, Setting.all.first { $0.key == "kafka.brokers" }.map { effective.origin(of: $0) } ?? .byDefault)
        }
        guard let facts = EmbeddedLocation(folder: configuration.data).facts else {
            throw CommandFailure(
                .unavailable, "no embedded hub runs in \(configuration.data), and kafka.brokers (HUB_KAFKA_BROKERS) is not set")
        }
        kafka.brokers = [facts.kafkaBrokers]
        return (kafka, .embedded)
    }

    private func text(of path: String) throws(CommandFailure) -> String {
        do throws(SystemError) {
            return try Files.text(path)
        } catch {
            throw CommandFailure(.configuration, "the configuration file: \(error)")
        }
    }

    private var environment: [String: String] {
        var variables: [String: String] = [:]
        for entry in Machine.environment {
            guard let equals = entry.firstIndex(of: "=") else { continue }
            variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
        }
        return variables
    }
}

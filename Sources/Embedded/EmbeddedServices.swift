package import Auth
import Configuration
import Kafka
import Linux
package import Logging

/// A private PostgreSQL, an in-process Kafka broker and a development signing key: all services that a hub needs, on loopback
/// and in one folder. They serve trials and tests.
///
/// | in the folder | content |
/// |---|---|
/// | `postgres/` | the cluster, kept from run to run |
/// | `postgres.log`, `postgres.port`, `postgres.password` | its log, port and password |
/// | `signing-key.pem`, `jwks.json` | signs and checks development tokens |
/// | `embedded.env` | addresses for other programs, while the hub runs |
package final class EmbeddedServices {
    /// Nil after `stop`, when another hub may use the folder.
    private var folder: DataFolder?
    private let path: String
    private let postgres: PostgresServer
    private let broker: MockCluster

    /// Issuer and audience of development tokens.
    package static let issuer = "hub-development"
    package static let audience = "hub"
    package static let keyFileName = "signing-key.pem"
    private static let keySetFileName = "jwks.json"
    private static let partitions = 4

    /// Starts all services and takes over the leftovers of a killed hub. The first start takes one or two seconds.
    /// - Parameters:
    ///   - path: the folder, created when missing. One hub at a time may use it.
    ///   - topics: the topics to create on the broker, which starts empty every time.
    package init(folder path: String, topics: [String], log: Logger) throws(EmbeddedFailure) {
        let folder = try DataFolder.claim(path)
        self.path = folder.path
        try Self.makeKeys(in: folder.path)
        postgres = try PostgresServer(in: folder.path, log: log)
        do throws(KafkaError) {
            broker = try MockCluster()
            for topic in topics { try broker.createTopic(topic, partitions: Self.partitions) }
        } catch {
            postgres.stop()
            throw .failed(step: "starting the in-process Kafka broker", reason: "\(error)")
        }
        self.folder = consume folder
    }

    /// The settings by which the hub reaches these services.
    package var settings: [(key: String, value: String)] {
        [
            ("database.url", postgres.databaseURL),
            ("kafka.brokers", broker.brokers),
            // This broker answers a fetch only after the full wait time, so the wait time is the latency.
            ("kafka.fetch-wait", MockCluster.fetchWait.quantity),
            // The embedded broker does not support fixed member names in consumer groups.
            ("kafka.member", "none"),
            ("auth.jwks", "\(path)/\(Self.keySetFileName)"),
            ("auth.issuer", Self.issuer),
            ("auth.audience", Self.audience),
        ]
    }

    /// Shortens the drain, because a developer stops and starts the hub often, and switches on what the demo shows.
    package static let defaults: [(key: String, value: String)] = [("drain.within", "2s"), ("drain.spread", "0s"), ("presence", "true")]

    /// Writes `embedded.env`. The caller does so when the hub listens at `url`.
    package func announce(url: String) throws(EmbeddedFailure) {
        let facts = EmbeddedFacts(
            url: url, databaseURL: postgres.networkURL, kafkaBrokers: broker.brokers, keys: "\(path)/\(Self.keySetFileName)",
            issuer: Self.issuer, audience: Self.audience)
        let file = "\(path)/\(EmbeddedFacts.fileName)"
        try EmbeddedFailure.during("writing \(file)") { () throws(SystemError) in
            try Files.write(Array(facts.text.utf8), to: file, mode: 0o600)
        }
    }

    /// Stops all services, waits for their end and keeps the data.
    package func stop() {
        guard folder != nil else { return }
        // The file does not exist if `announce` was never called.
        _ = try? Files.remove("\(path)/\(EmbeddedFacts.fileName)")
        postgres.stop()
        folder = nil
    }

    /// Creates the key at the first start and keeps it, so that tokens stay valid after a restart.
    private static func makeKeys(in folder: String) throws(EmbeddedFailure) {
        let file = "\(folder)/\(keyFileName)"
        let signer: TokenSigner
        if Files.kind(file) == .absent {
            let pem: String
            do {
                signer = try TokenSigner.generate()
                pem = try signer.pem()
            } catch {
                throw .failed(step: "making the development key", reason: "\(error)")
            }
            try EmbeddedFailure.during("writing \(file)") { () throws(SystemError) in
                try Files.write(Array(pem.utf8), to: file, mode: 0o600)
            }
        } else {
            signer = try developmentKey(in: folder)
        }
        try EmbeddedFailure.during("writing \(keySetFileName)") { () throws(SystemError) in
            try Files.write(Array(signer.jwks.utf8), to: "\(folder)/\(keySetFileName)", mode: 0o600)
        }
    }

    /// The key that an embedded hub left in `folder`.
    package static func developmentKey(in folder: String) throws(EmbeddedFailure) -> TokenSigner {
        let file = "\(folder)/\(keyFileName)"
        let pem = try EmbeddedFailure.during("reading \(file)") { () throws(SystemError) in try Files.text(file) }
        do {
            return try TokenSigner(pem: pem)
        } catch {
            throw .failed(step: "reading \(file)", reason: "\(error)")
        }
    }
}

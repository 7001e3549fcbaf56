import Auth
import Configuration
import Foundation
import HangGuard
import Kafka
import Linux
import Logging
import Postgres
import Testing

@testable import Embedded

/// The real programs: PostgreSQL and the broker. What is missing on the machine makes these fail, not pass.
@Suite("The embedded services", .serialized, .guarded)
struct EmbeddedServicesTests {
    /// A folder that PostgreSQL's account can enter, gone afterwards.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: "hub-embedded-\(UUID().uuidString)").path
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func start(_ folder: Folder) throws -> EmbeddedServices {
        try EmbeddedServices(folder: folder.path, topics: ["hub.events", "hub.events.dlq"], log: log)
    }

    private func facts(_ folder: Folder) throws -> EmbeddedFacts {
        try #require(EmbeddedFacts(try Files.text("\(folder.path)/embedded.env")))
    }

    private func server(_ folder: Folder) throws -> Int32 {
        try #require(PostmasterFile(try Files.text("\(folder.path)/postgres/postmaster.pid"))).process
    }

    private func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test("A second start finds the database, its port and the signing key of the first")
    func twoRuns() throws {
        let folder = Folder()
        var tokens: [TokenSigner] = []
        var ports: [Substring?] = []
        for run in 1...2 {
            let services = try start(folder)
            try services.announce(url: "http://127.0.0.1:8080")
            let facts = try facts(folder)
            let connection = try BlockingConnection(facts.databaseURL, applicationName: "test")
            if run == 1 { try connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)") }
            #expect(try connection.execute("SELECT n FROM kept") == [["7"]])

            let settings = Dictionary(uniqueKeysWithValues: services.settings.map { ($0.key, $0.value) })
            let configuration = try EffectiveConfiguration().with(embedded: services.settings).configuration
            #expect(configuration.kafka.brokers.joined() == facts.kafkaBrokers)
            #expect(configuration.kafka.fetchWait < .milliseconds(50))
            let overSocket = try BlockingConnection(try #require(settings["database.url"]), applicationName: "test")
            #expect(try overSocket.execute("SELECT inet_client_addr() IS NULL") == [["t"]])
            let producer = try Producer(ProducerConfiguration(brokers: facts.kafkaBrokers))
            try producer.write([OutgoingRecord(topic: "hub.events", value: [1])], within: .seconds(10))

            tokens.append(try EmbeddedServices.developmentKey(in: folder.path))
            ports.append(facts.databaseURL.split(separator: ":").last)
            for file in ["embedded.env", "signing-key.pem", "jwks.json", "postgres.password"] {
                #expect(try mode("\(folder.path)/\(file)") == 0o600, "\(file)")
            }
            let process = try server(folder)
            services.stop()
            #expect(!Linux.Process.exists(process))
            #expect(Files.kind("\(folder.path)/embedded.env") == .absent)
        }
        #expect(tokens[0].keyID == tokens[1].keyID)
        #expect(ports[0] == ports[1])
    }

    @Test("A folder belongs to one hub at a time")
    func oneAtATime() throws {
        let folder = Folder()
        let services = try start(folder)
        defer { services.stop() }
        let file = "\(folder.path)/file"
        try Files.write([], to: file)
        #expect(throws: EmbeddedFailure.notAFolder(file)) {
            _ = try EmbeddedServices(folder: file, topics: [], log: Logger(label: "embedded") { _ in SwiftLogNoOpLogHandler() })
        }
        #expect(throws: EmbeddedFailure.inUse(folder: try Files.absolute(folder.path), process: "\(Linux.Process.id)")) {
            try start(folder)
        }
    }

    @Test("A server that a killed hub left running is stopped, and its data is kept")
    func leftovers() throws {
        let folder = Folder()
        let first = try start(folder)
        try first.announce(url: "http://127.0.0.1:8080")
        let connection = try BlockingConnection(try facts(folder).databaseURL, applicationName: "test")
        try connection.execute("CREATE TABLE kept (n int)")
        first.stop()
        // As a killed hub leaves it: the server runs, and nobody holds the folder.
        let cluster = try PostgresFolder(in: try Files.absolute(folder.path))
        var options = Linux.Process.Options()
        options.environment = PostgresPrograms.environment
        options.newGroup = true
        let left = try Linux.Process.spawn(cluster.programs.command("postgres", ["-D", cluster.data]), options)
        let deadline = MonotonicInstant.now + .seconds(30)
        while cluster.postmaster?.isReady != true, MonotonicInstant.now < deadline {}
        let second = try start(folder)
        defer { second.stop() }
        #expect(try left.exitStatus() == 0)
        try second.announce(url: "http://127.0.0.1:8080")
        let again = try BlockingConnection(try facts(folder).databaseURL, applicationName: "test")
        #expect(try again.execute("SELECT count(*) FROM kept") == [["0"]])
    }

    @Test("A server that dies is restarted")
    func restarts() throws {
        let folder = Folder()
        let services = try start(folder)
        defer { services.stop() }
        try services.announce(url: "http://127.0.0.1:8080")
        let process = try server(folder)
        Linux.Process.kill(process, .kill)
        let url = try facts(folder).databaseURL
        let deadline = MonotonicInstant.now + .seconds(30)
        var answer: [[String?]] = []
        while answer.isEmpty, MonotonicInstant.now < deadline {
            answer = (try? BlockingConnection(url, applicationName: "test").execute("SELECT 1")) ?? []
        }
        #expect(answer == [["1"]])
        #expect(try server(folder) != process)
    }

    @Test("A stale postmaster.pid or an unfinished cluster does not prevent a start")
    func stale() throws {
        let folder = Folder()
        try Files.makeDirectory("\(folder.path)/postgres.new/base")
        let first = try start(folder)
        first.stop()
        // A number that another program got meanwhile: this test's own.
        try Files.write(Array("\(Linux.Process.id)\n/elsewhere\n1\n1\n\n\n\n\n".utf8), to: "\(folder.path)/postgres/postmaster.pid")
        let second = try start(folder)
        second.stop()
    }
}

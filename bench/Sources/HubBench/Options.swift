public import ArgumentParser
public import Dialect
import Foundation
import Linux
public import Load
import Report

extension Dialect: ExpressibleByArgument {}
extension TokenKey: ExpressibleByArgument {}

/// Which server, where, and on which processor.
struct ServerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Which server: \(Dialect.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var server: Dialect?

    @Option(help: ArgumentHelp("The hub's executable. (default: .build/release/hub of this repository)", valueName: "path"))
    var hub: String?

    @Option(help: ArgumentHelp("A server that runs already, such as http://127.0.0.1:8080, instead of starting one.", valueName: "url"))
    var url: String?

    @Option(help: ArgumentHelp("Of the server at --url: whose processor time and memory is told.", valueName: "id"))
    var pid: Int32?

    @Option(
        help: ArgumentHelp(
            "Of the hub at --url: the folder of its embedded services, for its keys, broker and database.", valueName: "folder"))
    var data: String?

    @Option(help: ArgumentHelp("The processor a started server may use; -1: all.", valueName: "number"))
    var serverCore = 0

    @Option(help: ArgumentHelp("Event loops of a started hub.", valueName: "count"))
    var loops = 1

    @Option(help: ArgumentHelp("What the hub's tokens are signed with: rs256 or es256.", valueName: "algorithm"))
    var token = TokenKey.es256

    @Option(name: .customLong("set"), help: ArgumentHelp("A setting of a started hub. May be given several times.", valueName: "key=value"))
    var settings: [String] = []

    @Flag(help: "Offer permessage-deflate, and fail unless it is agreed.")
    var compressed = false

    @Option(help: ArgumentHelp("The folder bench of the repository.", valueName: "folder"))
    var bench = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL.path

    func choice(default dialect: Dialect = .hub) throws -> ServerChoice {
        let dialect = server ?? dialect
        let executable = hub ?? URL(filePath: bench).appending(path: "../.build/release/hub").standardizedFileURL.path
        let kind: ServerChoice.Kind
        if let url {
            let parts = url.replacingOccurrences(of: "http://", with: "").replacingOccurrences(of: "ws://", with: "").split(separator: ":")
            guard parts.count == 2, let port = UInt16(parts[1].split(separator: "/").first ?? "") else {
                throw ValidationError("--url \(url): expected http://ADDRESS:PORT")
            }
            kind = .running(dialect, host: String(parts[0]), port: port, pid: pid, folder: data)
        } else {
            switch dialect {
            case .hub, .hubEcho:
                guard Files.kind(executable) == .file else {
                    throw ValidationError("no hub at \(executable): `swift build -c release --product hub`, or name one with --hub")
                }
                kind = dialect == .hub ? .hub(executable: executable) : .hubEcho(executable: executable)
            default: kind = .peer(dialect)
            }
        }
        var choice = ServerChoice(kind)
        choice.processor = serverCore >= 0 ? serverCore : nil
        choice.loops = loops
        choice.tokenKey = token
        choice.settings = settings
        choice.isCompressed = compressed
        choice.benchFolder = bench
        return choice
    }
}

/// The generator, and what becomes of the result.
struct RunOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Client sockets.", valueName: "count"))
    var clients: Int?

    @Option(help: ArgumentHelp("Generator processes; 0: one for every 18000 clients.", valueName: "count"))
    var workers = 0

    @Option(help: ArgumentHelp("Seconds that are measured.", valueName: "seconds"))
    var seconds: Double?

    @Option(help: ArgumentHelp("The processor the generator uses; -1: all.", valueName: "number"))
    var generatorCore = 1

    @Option(help: ArgumentHelp("Connections being made at once.", valueName: "count"))
    var concurrency = 64

    @Option(help: ArgumentHelp("Write the run as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the run as an HTML page with plots.", valueName: "file"))
    var html: String?

    @Flag(help: "No progress line.")
    var quiet = false

    func validate() throws {
        if let clients, clients < 1 { throw ValidationError("--clients: at least 1") }
        if let seconds, !(0.1...86_400).contains(seconds) { throw ValidationError("--seconds: from 0.1 to 86400") }
    }

    func scenario(clients defaultClients: Int, seconds defaultSeconds: Double) -> Scenario {
        var scenario = Scenario()
        scenario.generator.clients = clients ?? defaultClients
        scenario.generator.workers = workers
        scenario.generator.concurrency = concurrency
        scenario.generator.isQuiet = quiet
        scenario.generator.processor = generatorCore >= 0 && generatorCore < Linux.Machine.processors ? generatorCore : nil
        scenario.seconds = seconds ?? defaultSeconds
        return scenario
    }
}

/// Starts the server, measures, ends the server, and tells.
func measure(_ title: String, _ run: RunOptions, _ choice: ServerChoice, _ body: (Server) throws -> [ScenarioResult]) throws {
    var found = Run(title: title, machine: .current())
    let server: Server
    do { server = try Server.start(choice) } catch { throw Complaint("\(title): \(error)") }
    defer { server.stop() }
    do { found.scenarios += try body(server) } catch { throw Complaint("\(title): \(error)") }
    print(TextReport.text(found))
    if let json = run.json { try RunFile.write(found, to: json) }
    if let html = run.html { try HTMLReport.page(found).write(toFile: html, atomically: true, encoding: .utf8) }
}

/// Ends the program with a line on stderr and the exit code 1.
struct Complaint: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

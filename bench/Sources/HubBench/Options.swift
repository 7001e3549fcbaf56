public import ArgumentParser
public import Dialect
import Foundation
import Linux
public import Load
import Report

extension Dialect: ExpressibleByArgument {}
extension TokenKey: ExpressibleByArgument {}

/// Whether the generator's processes sleep while they have nothing to read.
enum Readers: String, CaseIterable, ExpressibleByArgument {
    /// They sleep, as real clients do. A server that is slower than they are has to wake them for each delivery, a faster one does not.
    case sleep
    /// They never sleep and use a whole processor. No server has to wake them, so that all servers have equal conditions.
    case spin
}

/// Options that select the server, its address and its processor.
struct ServerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The server to measure: \(Dialect.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "name"))
    var server: Dialect?

    @Option(help: ArgumentHelp("The hub's executable. (default: .build/release/hub of this repository)", valueName: "path"))
    var hub: String?

    @Option(
        help: ArgumentHelp(
            "A running server, such as http://127.0.0.1:8080 or ws://127.0.0.1:9000/chat, instead of starting one.",
            valueName: "url"))
    var url: String?

    @Option(
        help: ArgumentHelp(
            "The path of all connections. (default: the path of --url if it has one, else the paths of the server that --server names; for plain /echo, /subscribe and /publish)",
            valueName: "path"))
    var path: String?

    @Option(help: ArgumentHelp("The process of the server at --url, to report its processor time and memory.", valueName: "id"))
    var pid: Int32?

    @Option(
        help: ArgumentHelp(
            "The data folder of the hub at --url, for the keys, broker and database of its embedded services.", valueName: "folder"))
    var data: String?

    @Option(help: ArgumentHelp("The processor a started server may use; -1: all.", valueName: "number"))
    var serverCore = 0

    @Option(help: ArgumentHelp("Event loops of a started hub.", valueName: "count"))
    var loops = 1

    @Option(help: ArgumentHelp("The signature algorithm of the hub's tokens: rs256 or es256.", valueName: "algorithm"))
    var token = TokenKey.es256

    @Option(name: .customLong("set"), help: ArgumentHelp("A setting of a started hub. May be given several times.", valueName: "key=value"))
    var settings: [String] = []

    @Flag(help: "Offer permessage-deflate, and fail unless it is agreed.")
    var compressed = false

    @Option(help: ArgumentHelp("The folder bench of the repository.", valueName: "folder"))
    var bench = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL.path

    func validate() throws {
        if !(-1..<Linux.Machine.processors).contains(serverCore) {
            throw ValidationError("--server-core: from 0 to \(Linux.Machine.processors - 1), or -1 for all")
        }
        if !(1...64).contains(loops) { throw ValidationError("--loops: from 1 to 64") }
        if let path, !path.hasPrefix("/") { throw ValidationError("--path \(path): begins with /") }
        if let pid, pid < 1 { throw ValidationError("--pid: at least 1") }
        if url == nil, pid != nil || data != nil { throw ValidationError("--pid and --data need --url") }
    }

    func choice(default dialect: Dialect = .hub) throws -> ServerChoice {
        let dialect = server ?? dialect
        var path = path
        let executable = hub ?? URL(filePath: bench).appending(path: "../.build/release/hub").standardizedFileURL.path
        let kind: ServerChoice.Kind
        if let url {
            guard let address = RunningAddress(url) else {
                throw ValidationError("--url \(url): expected http://ADDRESS:PORT or ws://ADDRESS:PORT/PATH, with an IPv4 address")
            }
            kind = .running(dialect, host: address.host, port: address.port, pid: pid, folder: data)
            path = path ?? address.path
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
        choice.path = path
        choice.benchFolder = bench
        return choice
    }
}

/// The address of a running server, parsed from the form of the command line.
struct RunningAddress: Equatable {
    var host: String
    var port: UInt16
    /// nil: the URL has no path, or only `/`.
    var path: String?

    init?(_ url: String) {
        guard let scheme = ["http://", "ws://"].first(where: url.hasPrefix) else { return nil }
        let rest = url.dropFirst(scheme.count)
        let authority = rest.prefix { $0 != "/" }
        let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), !parts[0].isEmpty, let port = parts.count == 2 ? UInt16(parts[1]) : 80, port > 0 else {
            return nil
        }
        self.host = String(parts[0])
        self.port = port
        let path = rest.dropFirst(authority.count)
        self.path = path.count > 1 ? String(path) : nil
    }
}

/// Options of the generator and of the output.
struct RunOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Client sockets.", valueName: "count"))
    var clients: Int?

    @Option(help: ArgumentHelp("Generator processes; 0: one for every 18000 clients.", valueName: "count"))
    var workers = 0

    @Option(help: ArgumentHelp("Seconds that are measured.", valueName: "seconds"))
    var seconds: Double?

    @Option(help: ArgumentHelp("The processor the generator uses; -1: all.", valueName: "number"))
    var generatorCore = Linux.Machine.processors > 1 ? 1 : -1

    @Option(
        help: ArgumentHelp(
            "Whether the generator's processes sleep while they have nothing to read, or spin so that no server has to wake them.",
            valueName: "sleep|spin"))
    var readers = Readers.sleep

    @Option(help: ArgumentHelp("Connections being made at once.", valueName: "count"))
    var concurrency: Int?

    @Option(help: ArgumentHelp("Write the run as JSON.", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the run as an HTML page with plots.", valueName: "file"))
    var html: String?

    @Flag(help: "No progress line.")
    var quiet = false

    func validate() throws {
        if let clients, clients < 1 { throw ValidationError("--clients: at least 1") }
        if !(0...64).contains(workers) { throw ValidationError("--workers: from 0 to 64") }
        if !(-1..<Linux.Machine.processors).contains(generatorCore) {
            throw ValidationError("--generator-core: from 0 to \(Linux.Machine.processors - 1), or -1 for all")
        }
        if let concurrency, concurrency < 1 { throw ValidationError("--concurrency: at least 1") }
        if let seconds, !(0.1...86_400).contains(seconds) { throw ValidationError("--seconds: from 0.1 to 86400") }
    }

    func scenario(clients defaultClients: Int, seconds defaultSeconds: Double, concurrency defaultConcurrency: Int = 64) -> Scenario {
        var scenario = Scenario()
        scenario.generator.clients = clients ?? defaultClients
        scenario.generator.workers = workers
        scenario.generator.concurrency = concurrency ?? defaultConcurrency
        scenario.generator.isQuiet = quiet
        scenario.generator.spins = readers == .spin
        scenario.generator.processor = generatorCore >= 0 ? generatorCore : nil
        scenario.seconds = seconds ?? defaultSeconds
        return scenario
    }
}

/// Refuses invalid rates. 0 is valid if `zeroMeans` is true.
func checkRate(_ rate: Double, _ name: String, zeroMeans: Bool) throws {
    guard rate.isFinite, rate <= 10_000_000, zeroMeans ? rate >= 0 : rate > 0 else {
        throw ValidationError("\(name): \(zeroMeans ? "0 or more" : "more than 0"), at most 10000000")
    }
}

/// Refuses lengths that no scenario can send.
func checkBytes(_ bytes: Int) throws {
    if !(Mark.digits...1_000_000).contains(bytes) { throw ValidationError("--bytes: from \(Mark.digits) to 1000000") }
}

/// Starts the server, measures it, stops it, and writes the reports.
func measure(_ title: String, _ run: RunOptions, _ choice: ServerChoice, _ body: (Server) throws -> [ScenarioResult]) throws {
    try measure(title, run, [choice]) { try $0.flatMap(body) }
}

func measure(
    _ title: String, _ run: RunOptions, _ choices: [ServerChoice], _ body: ([Server]) throws -> [ScenarioResult],
    comparisons: () -> [Comparison] = { [] }
) throws {
    var found = Run(title: title, machine: .current())
    var servers: [Server] = []
    defer { for server in servers { server.stop() } }
    do {
        for choice in choices { servers.append(try Server.start(choice)) }
        found.scenarios += try body(servers)
        found.comparisons += comparisons()
    } catch { throw Complaint("\(title): \(error)") }
    print(TextReport.text(found))
    if let json = run.json { try RunFile.write(found, to: json) }
    if let html = run.html { try HTMLReport.page(found).write(toFile: html, atomically: true, encoding: .utf8) }
}

/// An error that ends the program with a line on stderr and exit code 1.
struct Complaint: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

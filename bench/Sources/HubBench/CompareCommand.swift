import ArgumentParser
import Compare
import Dialect
import Foundation
import Linux
import Load
import Peers
import Report

struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Compares the hub with bare C and the other servers, in turns, in one run.",
        discussion: """
            Each round starts every server, connects its clients, measures it and stops it, one server after the other, so that other load
            on the machine affects all of them. Ratios are taken within a round; their median, least and greatest values are reported.
            bench/peers has the other servers and their configurations; `scripts/setup bench` installs them. Missing ones are left out
            and named. The readers never sleep, so that no server has to wake them, unless --readers sleep is given.

              hub-bench compare                                          the table of goals; about half an hour
              hub-bench compare --match fanout:10000 --rounds 9          one row of it, with more rounds
              hub-bench compare --match echo:1000 --server hub-echo --server bare-c
              hub-bench compare --compressed --match fanout:1000
              hub-bench compare --server hub --server hub-echo --other-hub OLD/hub      two executables of the hub
            """)

    @Option(
        help: ArgumentHelp(
            "What is compared: fanout:SUBSCRIBERS, fanout:SUBSCRIBERS:BURST, echo:SOCKETS. May be given several times. (default: the rows of the table of goals)",
            valueName: "match"))
    var match: [String] = []
    @Option(help: ArgumentHelp("A server to measure. May be given several times. (default: all)", valueName: "name"))
    var server: [Dialect] = []
    @Option(help: ArgumentHelp("Rounds of each match.", valueName: "count")) var rounds = 5
    @Option(help: ArgumentHelp("Seconds that each server is measured in each round.", valueName: "seconds")) var seconds = 3.0
    @Option(help: ArgumentHelp("Length of a WebSocket message to a subscriber.", valueName: "bytes")) var bytes = 300
    @Option(
        help: ArgumentHelp(
            "Whether the generator's processes spin, so that no server has to wake them, or sleep when nothing comes.",
            valueName: "spin|sleep"))
    var readers = Readers.spin
    @Flag(help: "Use compression with all servers that support it, instead of with none.") var compressed = false
    @Option(help: ArgumentHelp("The hub's executable. (default: .build/release/hub of this repository)", valueName: "path")) var hub:
        String?
    @Option(
        help: ArgumentHelp(
            "A second executable of the hub, such as an older build, which takes turns with the first one.", valueName: "path"))
    var otherHub: String?
    @Option(name: .customLong("set"), help: ArgumentHelp("A setting of the hub. May be given several times.", valueName: "key=value"))
    var settings: [String] = []
    @Option(help: ArgumentHelp("The folder bench of the repository.", valueName: "folder")) var bench = URL(filePath: #filePath).appending(
        path: "../../.."
    ).standardizedFileURL.path
    @Option(help: ArgumentHelp("Write the run as JSON.", valueName: "file")) var json: String?
    @Option(help: ArgumentHelp("Write the run as an HTML page with plots.", valueName: "file")) var html: String?
    @Flag(help: "No progress lines.") var quiet = false

    func validate() throws {
        guard (1...100).contains(rounds) else { throw ValidationError("--rounds: from 1 to 100") }
        guard (0.1...600).contains(seconds) else { throw ValidationError("--seconds: from 0.1 to 600") }
        try checkBytes(bytes)
        if let otherHub, Files.kind(otherHub) != .file { throw ValidationError("--other-hub: no file at \(otherHub)") }
        _ = try matches()
    }

    private func matches() throws -> [Match] {
        var matches = Match.all.map { Match($0.kind, bytes: bytes, isCompressed: compressed) }
        if !match.isEmpty {
            matches = try match.map { text in
                guard let match = Match(text, bytes: bytes, isCompressed: compressed) else {
                    throw ValidationError("--match \(text): expected fanout:SUBSCRIBERS, fanout:SUBSCRIBERS:BURST or echo:SOCKETS")
                }
                return match
            }
        }
        for index in matches.indices { matches[index].settings = settings }
        return matches
    }

    func run() throws {
        guard Linux.Machine.processors >= 2 else { throw Complaint("compare: the server and the generator need a processor each") }
        var found = Run(title: "The hub beside other servers", machine: .current())
        let servers = try present(&found)
        var isInterrupted = false
        for match in try matches() {
            let contest = Contest(match, servers: servers, withOtherHub: otherHub != nil, rounds: rounds)
            let outcome = contest.run(
                measure: { contestant in
                    do {
                        return try measure(match, contestant)
                    } catch {
                        isInterrupted = "\(error)" == "interrupted"
                        throw error
                    }
                }, told: { if !quiet { Console.error($0) } }, isCancelled: { isInterrupted })
            if isInterrupted { throw Complaint("compare: interrupted") }
            outcome.record(in: &found)
        }
        print(TextReport.text(found))
        if let json { try RunFile.write(found, to: json) }
        if let html { try HTMLReport.page(found).write(toFile: html, atomically: true, encoding: .utf8) }
    }

    /// The servers that can be measured. Adds their versions to the run, and a note for each server that is not installed.
    private func present(_ run: inout Run) throws -> [Dialect] {
        var present: [Dialect] = []
        for dialect in server.isEmpty ? Dialect.allCases.filter({ $0 != .plain }) : server {
            guard let peer = Peer(dialect, bench: bench) else {
                guard Files.kind(executable) == .file else {
                    throw Complaint("no hub at \(executable): `swift build -c release --product hub`, or name one with --hub")
                }
                present.append(dialect)
                continue
            }
            do throws(PeerFailure) {
                run.versions.append(Run.Version(dialect.title, try peer.version()))
                present.append(dialect)
            } catch {
                run.notes.append("Left out: \(error)")
                Console.error("compare: left out: \(error)")
            }
        }
        return present
    }

    private var executable: String { hub ?? URL(filePath: bench).appending(path: "../.build/release/hub").standardizedFileURL.path }

    private func measure(_ match: Match, _ contestant: Contestant) throws -> ScenarioResult {
        let executable = contestant.isOther ? otherHub ?? executable : executable
        let kind: ServerChoice.Kind =
            switch contestant.dialect {
            case .hub: .hub(executable: executable)
            case .hubEcho: .hubEcho(executable: executable)
            default: .peer(contestant.dialect)
            }
        var choice = ServerChoice(kind)
        choice.benchFolder = bench
        choice.settings = match.settings
        choice.isCompressed = match.isCompressed
        let server = try Server.start(choice)
        defer { server.stop() }
        var result = try measure(match, server)
        result.server = contestant.title
        return result
    }

    private func measure(_ match: Match, _ server: Server) throws -> ScenarioResult {
        var common = Scenario()
        common.seconds = seconds
        common.generator.isQuiet = quiet
        common.generator.spins = readers == .spin
        switch match.kind {
        case .fanout(let subscribers, let burst):
            common.generator.clients = subscribers
            var fanout = Fanout()
            fanout.common = common
            fanout.bytes = match.bytes
            fanout.burst = burst
            // No acks meanwhile, because the peers have none; `hub-bench fanout` measures them.
            fanout.probeEvery = nil
            return try fanout.run(server)
        case .echo(let sockets):
            common.generator.clients = sockets
            var echo = Echo()
            echo.common = common
            echo.bytes = match.bytes
            return try echo.run(server)
        }
    }
}

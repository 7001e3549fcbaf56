import ArgumentParser
import Foundation
import Report

@main
struct BenchReport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-report", abstract: "Joins the JSON files of several bench commands into one report.",
        discussion: "The machine, date and title are the first file's.")

    @Argument(help: "Files that --json of a bench command wrote.", completion: .file(extensions: ["json"]))
    var files: [String]
    @Option(help: "Title of the report.")
    var title: String?
    @Option(help: "Writes one HTML page to this file; without it the text goes to the terminal.")
    var html: String?
    @Option(help: "Writes the joined run as JSON to this file.")
    var json: String?

    func run() throws {
        var run = try RunFile.read(files[0])
        for file in files.dropFirst() { run.add(try RunFile.read(file)) }
        if let title { run.title = title }
        if let json { try RunFile.write(run, to: json) }
        if let html { try Data(HTMLReport.page(run).utf8).write(to: URL(filePath: html)) }
        if html == nil && json == nil { print(TextReport.text(run)) }
    }

    func validate() throws {
        guard !files.isEmpty else { throw ValidationError("no file given") }
    }
}

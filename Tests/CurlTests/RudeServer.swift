import Foundation
import Testing

/// `server.py` in a process of its own, one for all tests; it ends when the tests do, because its input does, and removes its folder.
///
/// Sendable: what is not constant is never touched again after `init`.
final class RudeServer: @unchecked Sendable {
    static let shared = Result { try RudeServer() }

    let http: String
    let https: String
    /// The file of the certificate that `https` shows.
    let certificate: String
    private let process = Process()
    private let input = Pipe()

    private init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hub-curl-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appending(path: "certificate.pem").path
        let key = folder.appending(path: "key.pem").path
        try Self.run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "1",
        ])
        let output = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [
            "python3", URL(filePath: #filePath).deletingLastPathComponent().appending(path: "server.py").path, certificate, key,
        ]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty, "the server ended")
            line += more
        }
        let ports = String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        http = "http://127.0.0.1:\(ports[0])"
        https = "https://127.0.0.1:\(ports[1])"
    }

    private static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments[0])")
    }
}

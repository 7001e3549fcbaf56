import Foundation

/// The results of libcrypto's own benchmark on this machine, in this run.
enum OpenSSLSpeed {
    /// Nanoseconds for one verification, or for one digest of `-bytes` bytes.
    static func nanoseconds(_ arguments: [String]) throws -> Double {
        let openssl = Process()
        openssl.executableURL = URL(filePath: "/usr/bin/env")
        openssl.arguments = ["openssl", "speed", "-mr", "-seconds", "1"] + arguments
        let output = Pipe()
        openssl.standardOutput = output
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        openssl.waitUntilExit()
        guard openssl.terminationStatus == 0, let told = nanoseconds(in: text) else {
            throw Failure("'openssl speed \(arguments.joined(separator: " "))' told nothing")
        }
        return told
    }

    /// The last line is `+F2:index:bits:signatures per second:verifications per second` (F4 for ECDSA), or
    /// `+F:index:name:bytes per second` after a line `+H:bytes`.
    static func nanoseconds(in text: String) -> Double? {
        var bytes: Double?
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":")
            switch fields.first {
            case "+H" where fields.count == 2: bytes = Double(fields[1])
            case "+F2" where fields.count == 5, "+F4" where fields.count == 5: return Double(fields[4]).map { 1e9 / $0 }
            case "+F" where fields.count >= 4: return bytes.flatMap { bytes in Double(fields[3]).map { bytes * 1e9 / $0 } }
            default: break
            }
        }
        return nil
    }
}

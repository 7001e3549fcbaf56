public import Foundation

/// JSON for the files of `--json`, and for the messages of worker processes.
public enum RunFile {
    public static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        return try encoder.encode(value)
    }

    public static func value<Value: Decodable>(_ type: Value.Type = Value.self, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return try decoder.decode(type, from: data)
    }

    public static func write(_ run: Run, to path: String) throws {
        try data(run).write(to: URL(filePath: path), options: .atomic)
    }

    public static func read(_ path: String) throws -> Run {
        try value(from: Data(contentsOf: URL(filePath: path)))
    }
}
